"""OpenFlow messages as `ovs-ofctl` prints them.

`message.py` prints any message; the other files print what is inside, one family each.
"""
