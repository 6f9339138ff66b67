"""The switch beside Open vSwitch's userspace datapath: the same messages and packets for both.

`generate` makes random pipelines with packets that hit them, `peer` and `subject` run one each,
`compare` tells where they came to different ends, `shrink` makes a failure small, and
`explained` holds what is known to differ, with the reason.  `python -m tests.differential`
runs as many as one likes.
"""
