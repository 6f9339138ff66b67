"""Controllers at hand: a launcher for os-ken applications, and two of them built in.

`learning` is a learning switch; `overlay` learns where hosts are and programs `tun_id` and
`tun_dst` on every switch.  Both are written as a newcomer would write them, on os-ken's
public API, so that they serve as examples too.
"""
