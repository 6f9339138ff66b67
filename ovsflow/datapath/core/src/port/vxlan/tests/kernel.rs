//! The kernel's own VXLAN device as the peer.

use super::FAR;
use super::FAR_V6;
use crate::packet::{Tunnel, TunnelAddress};
use crate::port::lab::{Bridge, Host, in_namespace, ip, is_stream, open_with, serve, stream_to};

/// TCP between a host behind a system port and a host behind the kernel's own VXLAN device.
fn kernel_peer(outer: &'static str, remote: TunnelAddress, inner: [&'static str; 2], upload: bool) {
    in_namespace(move || {
        let role = move |serves: bool, address: &str, peer: &str| {
            if serves {
                Some(serve(address))
            } else {
                stream_to(peer);
                None
            }
        };
        let [client, server] = inner;
        let address = |text: &str| match text.strip_prefix('[') {
            Some(text) => text.replace(']', "/64") + " nodad",
            None => format!("{text}/24"),
        };
        let far = Host::new(move || {
            ip("address add 10.0.0.2/24 dev u1");
            ip("address add fd00::2/64 dev u1 nodad");
            ip("link set u1 up");
            ip(&format!(
                "link add vx type vxlan id 10 dstport 4789 {outer} dev u1"
            ));
            ip(&format!("address add dev vx {}", address(server)));
            ip("link set vx mtu 1430 up");
            role(upload, &format!("{server}:9000"), &format!("{client}:9000"))
        });
        let near = Host::new(move || {
            ip(&format!("address add dev e0 {}", address(client)));
            ip("link set e0 mtu 1430 up");
            role(
                !upload,
                &format!("{client}:9000"),
                &format!("{server}:9000"),
            )
        });
        ip(&format!(
            "link add u0 type veth peer name u1 netns {}",
            far.id
        ));
        ip("address add 10.0.0.1/24 dev u0");
        ip("address add fd00::1/64 dev u0 nodad");
        ip("link set u0 up");
        ip(&format!(
            "link add d0 type veth peer name e0 netns {}",
            near.id
        ));
        ip("link set d0 up");
        let ports = [
            open_with("system", 1, "d0", "").unwrap(),
            open_with("vxlan", 2, "vx", "").unwrap(),
        ];
        let bridge = Bridge::start(ports, move |from, packet| {
            if from == 0 {
                packet.tunnel = Some(Tunnel {
                    id: 10,
                    dst: remote,
                    ..Tunnel::default()
                });
            }
        });
        far.start();
        near.start();
        let got = match upload {
            true => [near.join(), far.join()].concat_stream(),
            false => [far.join(), near.join()].concat_stream(),
        };
        let counters = bridge.stop();
        assert!(is_stream(&got), "{} bytes, {counters:?}", got.len());
    });
}

/// The stream that one of two hosts received.
trait ConcatStream {
    fn concat_stream(self) -> Vec<u8>;
}

impl ConcatStream for [Option<Vec<u8>>; 2] {
    fn concat_stream(self) -> Vec<u8> {
        self.into_iter().flatten().next().unwrap_or_default()
    }
}

#[test]
fn test_tcp_to_and_from_the_kernels_vxlan_over_ipv4() {
    let inner = ["10.1.0.1", "10.1.0.2"];
    for upload in [true, false] {
        kernel_peer("remote 10.0.0.1", TunnelAddress::V4(FAR), inner, upload);
    }
}

#[test]
fn test_tcp_to_and_from_the_kernels_vxlan_over_ipv6() {
    let inner = ["[fd01::1]", "[fd01::2]"];
    for upload in [true, false] {
        kernel_peer("remote fd00::1", TunnelAddress::V6(FAR_V6), inner, upload);
    }
}
