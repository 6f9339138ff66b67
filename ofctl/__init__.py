"""`ofctl`: the commands of `ovs-ofctl` for any OpenFlow switch.

Of ovsflow it uses `ovsflow.openflow` and the errors; no switch of ours needs to run.
"""
