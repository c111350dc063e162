"""Words that name the same sounds or sources: a car is a vehicle, a hound barks, a tap is a faucet.

A word may stand in several groups. They are wide, because they decide only whether two texts can
speak of the same event, not whether they say the same.
"""

from __future__ import annotations

_LINES = """
    person people someone somebody man men woman women male female lady guy boy girl child children
        kid baby infant toddler teenager adult voice crowd audience group family individual speaker
        announcer singer narrator human mother father
    man men male guy gentleman boy father
    woman women female lady girl mother
    child children kid boy girl baby infant toddler teenager youngster
    crowd audience group people family spectator onlooker
    speak speech talk say converse conversation chat chatter discuss narrate narrator announce
        announcer commentate commentary voice murmur mumble babble whisper tell reply respond
        dialogue loudspeaker address
    laugh laughter giggle chuckle cackle
    cry sob wail weep bawl whimper
    shout yell scream holler shriek cheer exclaim
    sing song chant choir vocal
    breathe breath pant gasp sigh snore wheeze inhale exhale
    cough sneeze sniff hiccup
    clap applaud applause
    walk footstep step stroll stride march tread stomp
    animal dog cat sheep goat cow horse pig monkey creature
    dog puppy hound canine bark yip yap growl howl woof
    cat kitten feline meow mew purr
    sheep goat lamb bleat baa
    horse gallop hoof hooves hoofbeat clop clip-clop clip-clops trot neigh
    cow cattle moo
    bird birdsong chirp tweet cheep chick chicken warble crow caw pigeon dove coo seagull gull duck
        goose geese quack squawk sing
    duck goose geese quack honk
    chick chicken rooster hen cluck
    crow caw raven squawk
    pigeon dove coo
    gull seagull squawk
    insect bug bee fly flies mosquito wasp cricket cicada buzz chirp
    frog toad croak
    vehicle car automobile auto truck bus van motorcycle motorbike traffic lorry taxi
    engine motor vehicle car truck machine rev idle accelerate
    machine machinery engine motor device equipment tool drill saw appliance mechanical electric
    airplane plane aircraft aeroplane jet helicopter propeller fly
    train railway railroad locomotive track
    boat ship motorboat speedboat vessel
    drive pass race speed travel move
    siren alarm emergency ambulance police
    horn honk toot beep blast blare
    bell chime ring toll ding clang
    clock watch tick ticktock tock
    water river stream ocean sea wave splash drip drop pour trickle flow faucet tap sink gurgle
        liquid fountain waterfall brook spray
    rain rainfall raindrop storm rainstorm thunderstorm downpour drizzle shower
    thunder thunderstorm thunderclap storm lightning rumble
    wind windy breeze gust gusty blow
    faucet tap sink
    toilet flush
    fry sizzle cook food oil pan
    door gate shut close slam creak hinge
    knock tap bang thump thud bump hit strike pound hammer
    bang explosion explode burst blast pop gunshot gun firework shot boom
    crunch crinkle crumple rustle crush
    squeak creak screech squeal
    scrape scratch rub sand
    click clack tap tick type keyboard typewriter
    clank clang clatter rattle clink jingle metal metallic
    hum buzz drone whir whirr whine
    hiss steam whoosh swoosh spray
    whistle blow
    music musical melody song tune instrument piano guitar drum keyboard band note
    radio television broadcast station static
    phone telephone
    fast quick rapid speed
    repeat continuous constant steady again multiple
    quiet faint soft low
    loud noisy
    distance far afar
    old older elderly
    small tiny little
"""
GROUPS = tuple(_LINES.replace("\n" + 8 * " ", " ").strip().splitlines())  # lines of 8 spaces go on
