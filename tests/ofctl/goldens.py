"""The goldens: lines of text, and what ovs-ofctl prints for them in each version.

Run as a program (`python -m tests.ofctl.goldens`) it makes the data files anew from the lines below
with the ovs-ofctl that is installed; those in the repository were made with 3.1.0 of Debian 12.
"""

import json
from pathlib import Path

from tests.ofctl.oracle import VERSIONS, printed_flow, printed_group

DATA = Path(__file__).parent.parent / "data"
FLOWS = DATA / "flow_text.json"
GROUPS = DATA / "group_text.json"

FLOW_LINES = """
in_port=1,actions=output:2
tcp,tun_id=5,nw_dst=10.0.0.0/8,tp_dst=80,actions=load:5->reg0,set_field:5->tun_id,mod_nw_tos:40,controller,resubmit(,1)
cookie=0xabc,idle_timeout=60,send_flow_rem,priority=100,ip,in_port=1,nw_dst=10.0.0.0/8,actions=set_field:0x5->tun_id,set_field:1.2.3.4->tun_dst,goto_table:1
actions=drop actions= table=3,hard_timeout=5,importance=7,check_overlap,reset_counts,actions=flood
dl_vlan=5,actions=strip_vlan,output:1 dl_vlan=5,actions=mod_vlan_vid:6,output:1
actions=mod_vlan_vid:6,mod_vlan_pcp:3,output:1 udp,actions=mod_tp_dst:80,mod_tp_src:90,normal
ip,actions=dec_ttl,mod_nw_ttl:9,mod_nw_ecn:1,dec_ttl(1,2),all,in_port,local,table
mpls,actions=pop_mpls:0x800,dec_mpls_ttl,set_mpls_ttl(5),set_mpls_label:7,set_mpls_tc:3
ip,actions=push_mpls:0x8847,set_field:10->mpls_label
actions=push_vlan:0x8100,set_field:4105->vlan_vid,output:1
actions=set_tunnel:5,set_tunnel64:0x100000005,1 actions=enqueue:1:2 actions=group:5
actions=meter:3,output:1 ip,actions=write_actions(output:1,set_field:1.2.3.4->ip_dst),goto_table:3
actions=output:1,clear_actions
actions=learn(table=2,idle_timeout=5,hard_timeout=6,priority=7,cookie=8,NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],in_port=5,eth_type=0x800,load:0->NXM_OF_VLAN_TCI[],load:NXM_NX_REG0[]->NXM_NX_REG1[],output:NXM_OF_IN_PORT[])
actions=learn(table=2,limit=5,result_dst=reg0[0],delete_learned,send_flow_rem,fin_idle_timeout=3,fin_hard_timeout=4,ip_dst=1.2.3.4,eth_dst=00:11:22:33:44:55)
conj_id=5,ip,actions=1 ip,nw_src=1.2.3.4,actions=conjunction(5,1/3),conjunction(6,2/2),note:00
actions=clone(set_field:1->reg0,output:2),exit
actions=bundle(eth_src,50,active_backup,ofport,members:1,2)
actions=bundle_load(symmetric_l4,60,hrw,ofport,NXM_NX_REG0[],members:2,3)
actions=multipath(eth_src,50,modulo_n,1,0,NXM_NX_REG0[])
actions=multipath(symmetric_l3l4+udp,50,iter_hash,65536,5,NXM_NX_REG0[0..15])
actions=controller(max_len=100,reason=invalid_ttl,id=5)
actions=controller(userdata=01.02.03,pause,meter_id=5) actions=controller:100
actions=output(port=1,max_len=100) actions=output:reg0,output:NXM_NX_REG1[5..10]
actions=move:reg0[0..5]->reg1[6..11],push:reg0,pop:reg1[]
tcp,actions=fin_timeout(idle_timeout=5,hard_timeout=6)
actions=sample(probability=12345,collector_set_id=23456,obs_domain_id=34567,obs_point_id=45678)
actions=sample(probability=12345,collector_set_id=23456,obs_domain_id=34567,obs_point_id=45678,sampling_port=1,egress)
ip,actions=ct(commit,force,zone=5,table=6,exec(set_field:1->ct_mark,load:5->ct_label[0..31]),alg=ftp)
tcp,actions=ct(commit,alg=ftp,nat(src=10.0.0.1-10.0.0.9:100-200,random,persistent))
ip,actions=ct(commit,nat(dst=fe80::1),zone=reg0[0..15])
ip,actions=ct(nat),ct_clear,ct(commit,nat(dst=[fe80::1]-[fe80::9]:80))
ip,ct_state=+trk+est-inv,ct_zone=5,ct_mark=1/3,ct_label=0x5,actions=1
actions=check_pkt_larger(1500)->reg0[0] actions=set_queue:5,pop_queue
arp,arp_op=1,arp_spa=1.2.3.4,arp_tha=00:11:22:33:44:55,actions=1 rarp,actions=1
icmp,icmp_type=8,icmp_code=0,actions=1
icmp6,icmp_type=135,nd_target=fe80::1,nd_sll=00:11:22:33:44:55,actions=1
icmp6,icmp_type=135,icmp_code=0,nd_target=fe80::1,nd_sll=00:11:22:33:44:55,actions=1
icmp6,icmp_type=136,icmp_code=0,nd_target=fe80::/16,nd_tll=00:11:22:33:44:55/ff:ff:00:00:00:00,actions=1
tcp6,ipv6_src=fe80::1,ipv6_dst=::1.2.3.4/ffff::ffff,ipv6_label=0x12345,tp_dst=0x50/0xfff0,actions=1
ipv6,ipv6_label=0x5/0xf,nw_ecn=2,nw_tos=0xe0,nw_ttl=5,actions=1 tcp,tcp_flags=+syn-ack,actions=1
tcp,tcp_flags=0x12,actions=1 tcp,tcp_flags=syn|ack,nw_frag=first,actions=1
ip,nw_frag=not_later,actions=1 ip,nw_frag=later,actions=1 ip,nw_frag=yes,actions=1
vlan_tci=0x1005/0x1fff,actions=1 vlan_tci=0,actions=1 vlan_tci=0x0000/0x1fff,actions=1
vlan_tci=0xf005,actions=1 vlan_tci=0x1000/0x1000,actions=1 dl_vlan=0xffff,actions=1
dl_vlan_pcp=5,actions=1 dl_vlan=3,dl_vlan_pcp=5,actions=1 vlan_vid=0x1003/0x1003,actions=1
tun_id=0/0xff,tun_src=1.2.3.4,tun_dst=1.2.0.0/255.255.0.0,tun_flags=oam,tun_gbp_id=5,tun_gbp_flags=8,actions=1
tun_flags=-oam,tun_gbp_id=5/7,actions=1
tun_ipv6_src=fe80::1,tun_ipv6_dst=fe80::/10,metadata=5/7,actions=1
reg0=5,reg1=0/0xff,reg15=0xffffffff,actions=1 xreg0=0x500000006,xxreg1=0x1/0x1,actions=1
pkt_mark=5,actset_output=1,in_port=local,actions=1
dl_src=00:11:22:33:44:55,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00,dl_type=0x1234,actions=1
ip,ip_dscp=10,nw_proto=89,actions=1 sctp,tp_src=5,actions=mod_tp_src:7
mpls,mpls_label=5,mpls_tc=3,mpls_ttl=9,mpls_bos=1,actions=1 mplsm,actions=1
nw_src=1.2.3.4,actions=1 eth,actions=1 packet_type=(1,0x800),ip_src=1.2.3.4,actions=1
dl_type=0x894f,nsh_mdtype=1,nsh_spi=5,nsh_si=6,nsh_c1=7,nsh_ttl=8,nsh_flags=1,nsh_np=3,actions=1
tun_erspan_ver=1,tun_erspan_idx=5,actions=1
tun_erspan_ver=2,tun_erspan_dir=1,tun_erspan_hwid=7,actions=1
tun_gtpu_flags=5,tun_gtpu_msgtype=7,actions=1 tun_metadata0=0x1234,actions=1
tcp_src=5,udp,actions=1 reg0[0..3]=5,actions=1
actions=set_field:5->xreg0,set_field:0x1/0x1->xxreg0,load:0x10000000000000001->xxreg1
ip,actions=set_field:40->nw_tos,set_field:1->nw_ecn,set_field:5->nw_ttl
dl_vlan=3,actions=set_field:4099->vlan_vid,set_field:3->vlan_pcp
actions=set_field:0x1005->vlan_tci,set_field:0->vlan_tci
arp,actions=set_field:2->arp_op,set_field:1.2.3.4->arp_spa,set_field:00:11:22:33:44:55->arp_sha
tcp,actions=set_field:80->tcp_dst,set_field:00:11:22:33:44:55->eth_src
ipv6,actions=set_field:fe80::1->ipv6_src,set_field:0x12345->ipv6_label
actions=set_field:oam->tun_flags,set_field:1->tun_gbp_id,set_field:0x8->tun_gbp_flags
actions=load:0x5->OXM_OF_METADATA[],set_field:5->metadata,set_field:5/7->metadata,set_field:1->pkt_mark
actions=resubmit:1,resubmit(1,2),resubmit(,3,ct),resubmit(in_port,5),resubmit(1,),resubmit(5)
actions=load:5->tun_erspan_idx,set_field:5->nsh_spi actions=output:65534,output:0xfffe
in_port=65534,actions=65533 in_port=4294967294,actions=4294967293 priority=0x10,actions=1
ip,actions=set_field:fe80::1->ipv6_src actions=set_field:5->tcp_dst actions=load:5->tcp_dst
actions=delete_field:tun_metadata0 actions=foo foo=1,actions=1 in_port=foo,actions=1 tcp
reg0=zz,actions=1 reg0=0x100000000,actions=1 actions=set_field:1->zz actions=load:0x1ff->reg0[0..3]
actions=load:1->reg0[5..3] actions=load:1->reg0[40] actions=load:1->reg0[ dl_vlan=1/2,actions=1
in_port=1/2,actions=1 ip,nw_src=1.2.3,actions=1 ip,nw_src=1.2.3.4/33,actions=1
ipv6,ipv6_src=zz,actions=1 table=300,actions=1 priority=99999,actions=1 cookie=5/1,actions=1
actions=drop,1 actions=resubmit() tcp,actions=set_field:5->tcp_flags actions=clear_actions,output:1
actions=goto_table:1,goto_table:2 ip,actions=goto_table:1,output:1 actions=apply_actions(output:1)
actions=output:1,conjunction(1,1/2) actions=conjunction(1,1/1) actions=conjunction(1,5/3)
actions=ct(commit) ip,actions=ct(force) ip,actions=ct(zone=5,foo) actions=set_field:1->ct_mark
actions=nat(src=1.2.3.4) out_port=1,actions=1 actions=note:0 actions=set_mpls_label:9999999
actions=mod_nw_tos:41 actions=mod_vlan_vid:4096 actions=mod_dl_src:zz actions=enqueue:1
actions=controller(foo=1) actions=multipath(zz,1,hrw,1,0,reg0) actions=bundle(eth_src,0,hrw,ofport)
actions=learn(table=255) actions=learn(foo=1) actions=output(port=1,max_len=5)
actions=check_pkt_larger(5)->reg0 actions=clone(clone(clone(output:1))) # nothing,actions=1
tcp,tcp_flags=foo,actions=1 ip,nw_frag=maybe,actions=1 actions=write_actions(meter:1)
table=5,actions=goto_table:5 ip,ip_dscp=10,ip_ecn=1,actions=set_field:1->ip_ecn
"""

GROUP_LINES = """
group_id=1,type=select,bucket=weight:10,output:1,bucket=weight:20,actions=2,3
group_id=1,type=ff,bucket=watch_port:1,1,bucket=watch_group:5,actions=2
group_id=1,type=fast_failover,bucket=watch_port:1,1
group_id=1,type=indirect,bucket=actions=set_field:5->tun_id,1
group_id=1,type=indirect,bucket=1,bucket=2
group_id=2,type=all
group_id=2,type=all,bucket=drop
group_id=2,bucket=1
type=all,bucket=1
group_id=3,type=foo,bucket=1
group_id=3,type=ff,bucket=1
group_id=3,type=all,bucket=actions=zz
group_id=3,type=all,bucket=
group_id=1,type=all,bucket=weight:5,actions=1
group_id=1,type=all,foo=3,bucket=1
group_id=1,type=select,bucket=weight:1,actions=mod_vlan_vid:5,2
group_id=1,type=all,bucket=actions=drop,bucket=1,bucket=bucket_id:0,2
group_id=5,type=select,selection_method=dp_hash,fields(ip_dst),bucket=actions=1
group_id=6,type=select,selection_method=hash,fields(in_port,ip_src),bucket=actions=1
group_id=4294967040,type=all,bucket=group:7
group_id=4294967200,type=all,bucket=1
"""


def lines(text: str) -> list[str]:
    """The lines of a block."""
    return [line for line in text.splitlines() if line]


def main() -> None:
    """Makes the data files."""
    flows = {
        line: {VERSIONS[version]: printed_flow(version, line) for version in VERSIONS}
        for line in lines(FLOW_LINES)
    }
    FLOWS.write_text(json.dumps(flows, indent=1) + "\n")
    # OpenFlow 1.0 has groups in Open vSwitch only.
    groups = {
        line: {name: printed_group(version, line) for version, name in list(VERSIONS.items())[1:]}
        for line in lines(GROUP_LINES)
    }
    GROUPS.write_text(json.dumps(groups, indent=1) + "\n")


if __name__ == "__main__":
    main()
