"""Repair: the steps of a plan carried out on a copy of an image with the public tools, and proven by a boot.

Inside: running tools, copying images, writing files into filesystems, and the way from an image to a mended one. Not
inside: what is wrong with an image and what to do about it, which the findings say.
"""
