"""The plan: all steps of one image brought together, in an order that works, and proven by running PV-GRUB on the
image as it will be.

Inside: the image as it will be, the search for a plan, and its text. Not inside: carrying it out, which is repair/.
"""
