"""The routes of search for the scripted service: an index of a few sounds, which are tones."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import soundfile
from fastapi import APIRouter, Request, Response

from auricle.serve.problems import problem
from tests.helpers.sounds import tone

if TYPE_CHECKING:
    from tests.helpers.scripted_service import ScriptedService

CAPTIONS = (
    "a metal gate creaks and slams shut",
    "rain falls on leaves while thunder <rolls> & a dog barks in the distance",
    "a crowd of people applauding",
    "birds are singing",
)
FOLDERS = ("field", "sounds/night")


def found(number: int, score: float) -> dict[str, Any]:
    """Result ``number``; every second one is a part of a long recording."""
    is_part = number % 2 == 1
    span = {"start_s": 20.0, "end_s": 30.0} if is_part else {"start_s": 0.0, "end_s": 2.0}
    text = CAPTIONS[number % len(CAPTIONS)]
    name = ("gate & fence 삐.flac", "a_rather_long_name_of_a_field_recording_2024-05-01.wav")
    return {
        "id": number + 1,
        "audio": f"{FOLDERS[number % 2]}/{number:03}_{name[number % 2]}",
        **span,
        "caption": text,
        "confidence": [0.81, 0.42, None][number % 3],
        "tags": ["Rain", "Thunder", "Dog"][: number % 4],
        "duration_s": 3725.0 if is_part else 2.0,
        "content": "00",
        "media_type": "audio/wav" if is_part else "audio/flac",
        "score": round(score, 6),
        "similarity": 0.5,
        "likeness": None,
        "words": 0.5,
        "others": [[40.0, 50.0], [90.0, 95.0]] if is_part else [],
        "copies": ["field/copy.wav"] if number == 0 else [],
    }


def router(service: ScriptedService) -> APIRouter:
    routes = APIRouter()

    @routes.get("/v1/index")
    def about() -> dict[str, Any]:
        return {"sounds": service.script.sounds, "model": "tiny", "folders": list(FOLDERS)}

    @routes.post("/v1/search")
    async def search(request: Request) -> Any:
        if request.headers["content-type"] == "application/json":
            asked = json.loads(await request.body())
        else:
            form = await request.form()
            asked = {name: getattr(one, "filename", one) for name, one in form.multi_items()}
        service.searches.append(asked)
        if service.script.refusal:
            return problem(*service.script.refusal)
        numbers = [n for n in range(service.script.sounds) if n + 1 != asked.get("like")]
        if folder := asked.get("folder"):
            numbers = [n for n in numbers if FOLDERS[n % 2] == folder]
        if "nothing" in asked["text"]:
            numbers = []
        numbers = numbers[: int(asked["limit"])]
        results = [found(n, 0.96**place) for place, n in enumerate(numbers)]
        return {"results": results, "sounds": service.script.sounds, "model": "tiny"}

    @routes.get("/v1/sounds/{id}/{what}")
    def sound(id: int, what: str, download: bool = False) -> Response:
        if id in service.script.gone:
            return problem(404, "file_gone", "the file is not there any more")
        file = io.BytesIO()
        soundfile.write(file, tone(2.0), 16_000, format="WAV")
        how = "attachment" if download else "inline"
        headers = {"Content-Disposition": f'{how}; filename="sound.wav"'}
        return Response(file.getvalue(), media_type="audio/wav", headers=headers)

    return routes
