"""Drawn street scenes with exact labels in CamVid's 11 classes: the demo's picture, data for tests and benchmarks."""

from scenes.draw import draw_scene, save_scene, write_scenes

__all__ = ["draw_scene", "save_scene", "write_scenes"]
