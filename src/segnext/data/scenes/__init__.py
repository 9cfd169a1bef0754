"""Drawn street scenes with exact labels in CamVid's 11 classes: the demo's picture and the tests' data.

`python -m segnext.data.scenes OUT.png --seed 3` draws one.
"""

from segnext.data.scenes.draw import draw_scene, save_scene, write_scenes

__all__ = ["draw_scene", "save_scene", "write_scenes"]
