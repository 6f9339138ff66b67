"""The flow language of `ovs-ofctl`: text to the model and back.

`parse.py` and `render.py` are what others use; the other files are their parts, one for each kind
of thing that has a text form.
"""
