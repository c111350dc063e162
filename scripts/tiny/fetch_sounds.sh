#!/bin/sh
# Fetches the sounds that Debian packages carry, and renders those we make, into FOLDER (default runs/sounds).
# Needs a Debian system with fluidsynth and espeak-ng; about 200 MB of downloads.
set -eu
folder=$(mkdir -p "${1:-runs/sounds}" && cd "${1:-runs/sounds}" && pwd)
recipe=$(cd "$(dirname "$0")" && pwd)
packages="asterisk-core-sounds-en-wav asterisk-core-sounds-es-wav asterisk-core-sounds-fr-wav
asterisk-core-sounds-it-wav asterisk-core-sounds-ru-wav asterisk-moh-opsound-wav
fluid-soundfont-gm openttd-opensfx"
mkdir -p "$folder/debian"
cd "$folder"
for package in $packages; do
    apt-get download "$package"
    dpkg -x "$package"_*.deb debian
    rm "$package"_*.deb
done
python3 "$recipe/make_sounds.py" debian/usr/share/sounds/sf2/FluidR3_GM.sf2 made
