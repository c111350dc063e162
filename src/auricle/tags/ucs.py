"""The category of a caption in the Universal Category System, version 8.2.

UCS is by Tim Nielsen, Justin Drury, Kai Paquin and others (https://universalcategorysystem.com).
Here is a small part of its categories, with the words of captions that lead to each.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from auricle.tags.keywords import keywords

# CatID, category and subcategory: words in the forms of `keywords`. Words with + must all be there.
_TABLE = """
AEROHeli AIRCRAFT/HELICOPTER: helicopter chopper
AEROJet AIRCRAFT/JET: jet
AEROMisc AIRCRAFT/MISC: airplane plane aircraft aeroplane
AEROProp AIRCRAFT/PROP: propeller
ALRMClok ALARMS/CLOCK: clock+alarm
ALRMMisc ALARMS/MISC: alarm smoke+alarm fire+alarm
AMBTraf AMBIENCE/TRAFFIC: traffic
ANMLAmph ANIMALS/AMPHIBIAN: frog toad croak
ANMLCat ANIMALS/CAT DOMESTIC: cat kitten meow purr
ANMLWcat ANIMALS/CAT WILD: lion tiger
ANMLDog ANIMALS/DOG: dog puppy bark yap
ANMLFarm ANIMALS/FARM: cow pig goat sheep moo bleat oink
ANMLHors ANIMALS/HORSE: horse donkey mule neigh whinny
ANMLInsc ANIMALS/INSECT: insect cricket cicada bee mosquito wasp fly+buzz
ANMLPrim ANIMALS/PRIMATE: monkey ape chimpanzee
ANMLRept ANIMALS/REPTILE: snake
ANMLRdnt ANIMALS/RODENT: mouse rat
BEEP BEEPS/GENERAL: beep
BELLDoor BELLS/DOORBELL: doorbell
BELLHand BELLS/HANDBELL: handbell
BELLLrg BELLS/LARGE: church+bell large+bell tower+bell bell+toll
BELLMisc BELLS/MISC: bell
BIRDCrow BIRDS/CROW: crow caw
BIRDFowl BIRDS/FOWL: chicken rooster hen turkey duck goose quack cluck
BIRDSea BIRDS/SEA: seagull gull
BIRDMisc BIRDS/MISC: bird pigeon dove owl chirp tweet
BOATHorn BOATS/HORN: ship+horn boat+horn
BOATMotr BOATS/MOTORBOAT: motorboat speedboat boat+motor boat+engine
BOATMisc BOATS/MISC: boat ship
CLOCKTick CLOCKS/TICK: clock+tick tick clock+ticktock
CLOCKChim CLOCKS/CHIME: clock+chime
CLOCKMisc CLOCKS/MISC: clock
COMCell COMMUNICATIONS/CELLPHONE: cellphone
COMTelph COMMUNICATIONS/TELEPHONE: telephone phone bell+telephone telephone+ring phone+ring
COMRadio COMMUNICATIONS/RADIO: radio
COMTv COMMUNICATIONS/TELEVISION: television tv
COMType COMMUNICATIONS/TYPEWRITER: typewriter
COMCam COMMUNICATIONS/CAMERA: camera
COMStatic COMMUNICATIONS/STATIC: static
CMPTKey COMPUTERS/KEYBOARD & MOUSE: keyboard+type keyboard+computer mouse+click
CRWDApls CROWDS/APPLAUSE: applause applaud clap crowd+clap crowd+applaud audience+applaud
CRWDCheer CROWDS/CHEERING: cheer crowd+cheer
CRWDLaff CROWDS/LAUGHTER: crowd+laugh audience+laugh
CRWDMisc CROWDS/MISC: crowd audience
DOORCab DOORS/CABINET: cabinet cupboard
DOORGate DOORS/GATE: gate
DOORKnck DOORS/KNOCK: door+knock knock
DOORSlid DOORS/SLIDING: door+slide
DOORWood DOORS/WOOD: wooden+door wood+door
DOORMisc DOORS/MISC: door
DRWRMisc DRAWERS/MISC: drawer
EXPLMisc EXPLOSIONS/MISC: explosion explode
FARTMisc FARTS/MISC: fart
FIRECrkl FIRE/CRACKLE: fire+crackle
FIREMisc FIRE/MISC: fire flame
FRWKMisc FIREWORKS/MISC: firework
FEETHors FOOTSTEPS/HORSE: horse+trot horse+gallop horse+hoof
FEETHmn FOOTSTEPS/HUMAN: footstep walk step
FOODCook FOOD & DRINK/COOKING: cook fry sizzle
FOODDrnk FOOD & DRINK/DRINKING: drink sip slurp
FOODEat FOOD & DRINK/EATING: eat chew
GLASBrk GLASS/BREAK: glass+break glass+shatter
GUNAuto GUNS/AUTOMATIC: machine+gun
GUNRif GUNS/RIFLE: rifle
GUNMisc GUNS/MISC: gun gunshot gunfire
HMNBrth HUMAN/BREATH: breathe breath
HMNBurp HUMAN/BURP: burp belch man+burp person+burp
HMNCough HUMAN/COUGH: cough man+cough woman+cough
HMNHart HUMAN/HEARTBEAT: heartbeat
HMNSneez HUMAN/SNEEZE: sneeze man+sneeze woman+sneeze
HMNSnor HUMAN/SNORE: snore man+snore woman+snore person+snore
MACHAppl MACHINES/APPLIANCE: vacuum blender dishwasher microwave
MACHFan MACHINES/FAN: fan
MACHHvac MACHINES/HVAC: conditioner
MACHMisc MACHINES/MISC: machine machinery
MACHOffi MACHINES/OFFICE: printer
MACHPump MACHINES/PUMP: pump
MOTRComb MOTORS/COMBUSTION: engine
MOTRMisc MOTORS/MISC: motor
MUSCBrass MUSICAL/BRASS: trumpet tuba trombone
MUSCChim MUSICAL/CHIME: wind+chime
MUSCPerc MUSICAL/PERCUSSION: drum
MUSCPluck MUSICAL/PLUCKED: guitar banjo harp
PAPRMisc PAPER/MISC: paper
RAIN RAIN/GENERAL: rain
THUN WEATHER/THUNDER: thunder
STORM WEATHER/STORM: storm thunderstorm rain+thunder
HAIL WEATHER/HAIL: hail
WIND WIND/GENERAL: wind
TOOLHand TOOLS/HAND: hammer
TOOLPowr TOOLS/POWER: drill sander chainsaw
TRNHorn TRAINS/HORN: train+horn
TRNSteam TRAINS/STEAM: steam+train steam+locomotive
TRNMisc TRAINS/MISC: train
TRNTram TRAINS/TRAM: tram
VEHAlrm VEHICLES/ALARM: car+alarm
VEHBike VEHICLES/BICYCLE: bicycle
VEHBus VEHICLES/BUS: bus
VEHCar VEHICLES/CAR: car car+engine
VEHDoor VEHICLES/DOOR: car+door
VEHFarm VEHICLES/FARM: tractor
VEHHorn VEHICLES/HORN: car+horn vehicle+horn honk
VEHMisc VEHICLES/MISC: vehicle vehicle+engine
VEHMoto VEHICLES/MOTORCYCLE: motorcycle motorbike motorcycle+engine
VEHRace VEHICLES/RACING: car+race
VEHSirn VEHICLES/SIREN: siren police+siren ambulance+siren
VEHSkid VEHICLES/SKID: tire+squeal tire+screech car+skid
VEHTruck VEHICLES/TRUCK VAN & SUV: truck van truck+engine
VOXBaby VOICES/BABY: baby infant baby+cry infant+cry
VOXChld VOICES/CHILD: child girl boy kid
VOXCry VOICES/CRYING: cry sob weep man+cry woman+cry child+cry
VOXFem VOICES/FEMALE: woman woman+speak woman+talk
VOXLaff VOICES/LAUGH: laugh giggle laughter man+laugh woman+laugh child+laugh baby+laugh
VOXMale VOICES/MALE: man man+speak man+talk
VOXScrm VOICES/SCREAM: scream man+scream woman+scream
VOXSing VOICES/SINGING: sing singer man+sing woman+sing child+sing
VOXMisc VOICES/MISC: speech voice
WATRBubl WATER/BUBBLES: bubble boil
WATRDran WATER/DRAIN: drain
WATRDrip WATER/DRIP: drip water+drip
WATRFlow WATER/FLOW: stream river creek water+stream water+flow
WATRFoun WATER/FOUNTAIN: fountain
WATRPlmb WATER/PLUMBING: faucet water+faucet water+sink water+toilet sink toilet shower water+tap
WATRPour WATER/POUR: pour water+pour
WATRSplsh WATER/SPLASH: splash water+splash
WATRSpray WATER/SPRAY: spray
WATRStm WATER/STEAM: steam
WATRSurf WATER/SURF: ocean surf sea ocean+wave sea+wave
WATRFall WATER/WATERFALL: waterfall
WATRWave WATER/WAVE: wave
WATRMisc WATER/MISC: water
WHSTHmn WHISTLES/HUMAN: man+whistle woman+whistle person+whistle
WHSTMech WHISTLES/MECHANICAL: train+whistle kettle+whistle
WHSTMisc WHISTLES/MISC: whistle
WNDWMisc WINDOWS/MISC: window
"""


@dataclass(frozen=True)
class Category:
    """``cat_id`` stands for both names."""

    cat_id: str
    category: str
    subcategory: str

    @property
    def full(self) -> str:
        return f"{self.category}-{self.subcategory}"


def category(caption: str) -> Category | None:
    """The category that most words of ``caption`` lead to; of several, that of the words that come
    first. None if no word leads to one."""
    place = {word: number for number, word in reversed(list(enumerate(keywords(caption))))}
    found = [
        (-len(rule), min(place[word] for word in rule), number)
        for number, (rule, _) in enumerate(_rules())
        if rule <= place.keys()
    ]
    return _rules()[min(found)[2]][1] if found else None


@cache
def _rules() -> list[tuple[frozenset[str], Category]]:
    rules = []
    for line in _TABLE.strip().split("\n"):
        head, _, words = line.partition(": ")
        cat_id, _, names = head.partition(" ")
        one = Category(cat_id, *names.split("/"))
        rules += [(frozenset(rule.split("+")), one) for rule in words.split()]
    return rules
