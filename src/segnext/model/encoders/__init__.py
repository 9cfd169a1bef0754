"""Encoders: an image becomes four feature maps. Each tells `channels` and `strides` of its maps."""
