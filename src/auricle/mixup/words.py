"""English words for mixing captions by grammar: verbs of sounds, and nouns of their sources."""

from __future__ import annotations

VERBS = frozenset(
    """
    accelerate accompany announce answer applaud approach arrive attempt baa babble backfire
    bang bark beat become beep belch blare blast bleat bleep blow boil boom bounce break breathe
    brush bubble burn burp burst buzz call caw chant chase chat chatter cheep cheer chew chime
    chirp chirrup chop chuckle chug churn clack clang clank clap clatter clear click climb cling
    clink clip clomp clop close cluck clunk come communicate converse coo cook cough crack
    crackle crank crash creak crinkle croak croon crow crumble crumple crunch cry cut dance
    decelerate deliver die dig ding discuss do downshift drag drain drill drip drive drone drop
    drum eat echo emit end engage enter erupt exhale explode fade fall fart fill fire fizz
    fizzle flap flow flush flutter fly fry gain gallop gasp gather get giggle give gnaw go grind
    groan growl grow grunt gurgle gush gust hammer happen have heave hiccup hiss hit hold holler
    honk hoot hover howl hum hush idle imitate increase inhale jingle jog jump kick kiss knock
    land lap laugh lift lock make march meow mew moan moo move muffle mumble murmur narrate
    neigh occur oink open operate pace pant pass patter pause peck peep perform pick ping play
    plop pop pound pour power present press produce pull pulse pump purr push puff put quack
    quiet race rain rasp ratchet rattle read recite reload repeat resonate respond resume return
    rev reverberate revolve ride ring rip roar roll rotate rub rumble run rush rustle sand saw
    say scamper scrape scratch scream screech scrub scuff scuffle sew shake shift shoot shout
    shovel shriek shuffle shut sigh sing sit sizzle skid slam slap slice slide slosh slow slurp
    smack smash snap sneeze snicker sniff sniffle snip snore snort sob soothe speak speed spill
    spin spit splash splatter spray sputter squawk squeak squeal squeeze stamp stand start step
    stir stomp stop stream strike strum struggle stutter suck swallow sweep swish swoosh take
    talk tap tear thud thump thunder tick ticktock tinkle toll toot travel tread trickle trot
    try tumble turn tweet twist type use utter vary vibrate vocalize wail walk warble warn wash
    watch weep wheeze whimper whine whinny whip whir whirl whirr whisk whisper whistle whiz
    whoop whoosh work yap yell yelp yip yodel yowl zip zoom
    """.split()
)
DOUBLED = frozenset(
    """
    begin chat chop chug clap clip clop cut dig drag drip drop drum emit flap get hit hum jog
    lap occur plop pop put rev rip rub run scrub shut sit skid slam slap snap snip sob spin spit
    step stir stop strum tap thud trot whip whir whiz yap yip zip
    """.split()
)  # "tap": "tapping"
CATENATIVE = frozenset("start begin stop continue keep try attempt".split())  # "starts talking"

_PEOPLE = """
    man woman person boy girl child kid baby infant toddler lady guy male female adult teenager
    speaker announcer singer crowd audience group someone somebody individual voice
"""
_ANIMALS = """
    dog puppy cat kitten bird duck goose sheep goat cow horse pig rooster chicken hen pigeon
    dove owl crow frog cricket insect bee fly mosquito wasp snake mouse rat lion wolf monkey
    seagull turkey animal bug chick cicada
"""
_MACHINES = """
    car truck bus train tram motorcycle motorbike motorboat boat speedboat ship vehicle engine
    motor helicopter airplane plane aircraft jet drone siren horn alarm bell clock watch phone
    telephone computer keyboard typewriter printer radio television tv machine tool drill saw
    chainsaw sander sprayer hammer fan vacuum blender mower lawnmower tractor toilet faucet tap
    sink shower door drawer gate window lid bowl plate pan pot glass bottle can bag box camera
    gun rifle whistle guitar piano drum violin flute trumpet object item wheel tire brake
    propeller blade rotor pump ball firework explosion kettle stove fire flame bicycle
    skateboard wagon cart ambulance device
"""
_MASSES = """
    water rain wind thunder music speech traffic steam liquid oil air gas surf food machinery
    paper static gunfire applause laughter metal wood plastic gravel snow grass fabric cloth
"""
SINGULAR = frozenset((_PEOPLE + _ANIMALS + _MACHINES + _MASSES).split())
MASSES = frozenset(_MASSES.split())
_IRREGULAR = """
    people men women children geese sheep mice wolves feet hooves leaves knives guys others
    dishes babies puppies ladies flies watches matches
"""
_MORE = """
    waves footsteps raindrops fireworks crickets bees hands fingers shoes steps keys pages drums
    bells chimes dishes utensils coins leaves branches vehicles tools instruments gears doors
    vocals noises voices
"""
_NO_PLURAL = "man woman child sheep goose mouse wolf someone somebody mosquito".split()
PLURAL = frozenset(
    (_IRREGULAR + _MORE).split()
    + [
        noun + "s"
        for noun in (_PEOPLE + _ANIMALS + _MACHINES).split()
        if noun not in _NO_PLURAL and noun[-1] not in "shxy"
    ]
)
# "several clicks": after these words, a word in -s is a noun, not a verb.
QUANTIFIERS = frozenset(
    """
    several some few many multiple two three four various numerous loud soft quiet faint distant
    heavy repeated brief light rapid continuous constant intermittent occasional random more
    different low high
    """.split()
)
BE = frozenset("is are was were".split())
AUXILIARIES = BE | frozenset("can could will would may might must has had have do does did".split())
PREPOSITIONS = frozenset(
    """
    in on at by of from with into onto over under through near against along across around
    behind towards toward during inside outside to for past up down off about nearby above below
    between
    """.split()
)
# A clause after one of these keeps its verb when the main clause loses its own.
SUBORDINATORS = frozenset(
    "while as when whilst because that which who whose where until if before after since".split()
)
COORDINATORS = frozenset("and or but then".split())
PLACES = frozenset("background foreground distance".split())
ARTICLES = frozenset("a an the another one".split())
# Words with a capital inside a sentence.
PROPER = frozenset(
    """
    English Spanish Russian German French Italian Korean Chinese Japanese Arabic Indian American
    British Velcro Christmas Styrofoam
    """.split()
)


def participle(verb: str) -> str:
    """ "run" -> "running", "drive" -> "driving", "die" -> "dying"."""
    if verb.endswith("ie"):
        return verb[:-2] + "ying"
    if verb in DOUBLED:
        return verb + verb[-1] + "ing"
    if verb.endswith("e") and not verb.endswith("ee"):
        return verb[:-1] + "ing"
    return verb + "ing"


def third_person(verb: str) -> str:
    """ "run" -> "runs", "cry" -> "cries", "hiss" -> "hisses"."""
    if verb == "have":
        return "has"
    if verb.endswith("y") and verb[-2] not in "aeou":
        return verb[:-1] + "ies"
    if verb.endswith(("s", "sh", "ch", "x", "z", "o")) and verb not in ("coo", "moo"):
        return verb + ("zes" if verb == "whiz" else "es")
    return verb + "s"


THIRD_PERSON = {third_person(verb): verb for verb in VERBS | CATENATIVE}
PARTICIPLES = {participle(verb): verb for verb in VERBS | CATENATIVE}
