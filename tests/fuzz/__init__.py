"""Fuzzing: damaged and hostile inputs by the thousand, through every reader of strangers' files.

    reader.py       what a reader under test is, and the list of them
    damage.py       mutations of bytes; table_damage, model_damage, weight_damage: of what they say
    audio.py …      a file for each reader: its valid examples, their mutations, what reads them
    judge.py        reads one input, in this process: what came of it
    process.py      the same in a process with limits, which may crash, hang or fill its memory
    run.py          the command of a long run
    corpus/         inputs that once did harm, READER/NAME; each is read in the quick tests

An input is read, or refused by an `AuricleError` of one line that names it. All else is a fault.
"""
