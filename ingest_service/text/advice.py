"""Says what to do in a villager's words, one state at a time."""

from typing import Final

from ingest_service.text.words import Language, mark, speak

_STEPS: Final = {
    "tank_empty": (
        mark("See whether the spring still flows into the inlet."),
        mark("Look at the valves and walk along the pipe: leak, blockage, broken joint."),
        mark("Nothing found? Call the technician."),
        mark("Until then keep the remaining water for drinking and cooking."),
    ),
    "tank_low": (
        mark("Use water sparingly: drinking and cooking first."),
        mark("Close dripping taps, do not water gardens from this tank."),
        mark("See whether water still comes in."),
    ),
    "overflow": (
        mark("Close the inlet valve a little, or look whether the float valve sticks."),
        mark("Lead the overflow away so that it does not wash out the ground."),
    ),
    "overflow_rain": (
        mark("The tank is full of rain water: good. Let the rest run off in its gutter."),
        mark("Wash the roof gutter and the strainer while water is plenty."),
    ),
    "stuck": (
        mark("Do not trust the number: open the lid and look at the water."),
        mark("Technician: check probe and cable, wipe the sensor's face."),
    ),
    "range": (
        mark("Do not trust the number: open the lid and look at the water."),
        mark("Technician: check that the sensor sits straight, its face is clean and nothing hangs before it."),
    ),
    "offline": (
        mark("The number may be old: open the lid and look at the water."),
        mark("Check the station's power and signal; is the cable plugged in?"),
        mark("Still silent after an hour? Call the technician."),
    ),
    "no_data": (
        mark("Nothing has been measured here yet. Open the lid and look at the water."),
        mark("If the sensor is already mounted, call the technician."),
    ),
    "ok": (mark("Nothing to do. Close the tap well after use."),),
}

STATES: Final = tuple(_STEPS)
"""States that there is advice for."""


def advise(state: str, language: Language) -> list[str]:
    """What to do, in order; nothing for a state that nobody has written advice for."""
    return [speak(language).say(step) for step in _STEPS.get(state, ())]
