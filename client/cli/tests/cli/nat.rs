//! Nodes behind NAT, in network namespaces of their own: one reaches the other through a follower.
//!
//! Two households have the same private addresses, each behind a router of its own; between them lie a network where the follower is, and the
//! chain. Needs root, `ip` and `nft`; without them the test says why it is skipped.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;

use pcim_client::papers::network::NetworkRpc;
use serde_json::Value;

use crate::network::signed;
use crate::program::{Actor, Process, Run, first_document};
use crate::repo;
use crate::stage::Stage;

/// Where the follower listens.
const FOLLOWER: &str = "10.77.0.1";
/// Where the chain is found from everywhere.
const CHAIN: &str = "10.77.0.254";

/// The namespaces; they go with this.
struct Net {
    /// In their names, so that several runs do not meet.
    tag: String,
}

impl Net {
    /// Makes the namespaces, or says why it cannot.
    fn new() -> Result<Self, String> {
        for program in ["ip", "nft"] {
            let found = Command::new(program)
                .arg("-V")
                .stdout(Stdio::null())
                .status();
            found.map_err(|error| format!("{program}: {error}"))?;
        }
        let net = Self {
            tag: format!("pcim{}", std::process::id() % 10_000),
        };
        let tag = &net.tag;
        net.run(&format!("ip netns add {tag}p"))?;
        net.inside("p", "ip link set dev lo up")?;
        net.inside("p", "ip link add name br0 type bridge")?;
        net.inside("p", &format!("ip addr add {FOLLOWER}/24 dev br0"))?;
        net.inside("p", "ip link set dev br0 up")?;
        // This namespace, where the chain is.
        net.run(&format!(
            "ip link add name {tag}h type veth peer name h netns {tag}p"
        ))?;
        net.run(&format!("ip addr add {CHAIN}/24 dev {tag}h"))?;
        net.run(&format!("ip link set dev {tag}h up"))?;
        net.inside("p", "ip link set dev h master br0 up")?;
        for (house, number) in [("a", 10), ("b", 20)] {
            net.house(house, number)?;
        }
        Ok(net)
    }

    /// A household: a home's namespace, and a router's that translates its addresses.
    fn house(&self, house: &str, number: u8) -> Result<(), String> {
        let (tag, router) = (&self.tag, format!("r{house}"));
        self.run(&format!("ip netns add {tag}{house}"))?;
        self.run(&format!("ip netns add {tag}{router}"))?;
        self.run(&format!(
            "ip link add name wan netns {tag}{router} type veth peer name {house} netns {tag}p"
        ))?;
        self.run(&format!(
            "ip link add name lan netns {tag}{router} type veth peer name eth netns {tag}{house}"
        ))?;
        self.inside("p", &format!("ip link set dev {house} master br0 up"))?;
        for line in [
            "ip link set dev lo up".to_owned(),
            format!("ip addr add 10.77.0.{number}/24 dev wan"),
            "ip link set dev wan up".to_owned(),
            "ip addr add 192.168.1.1/24 dev lan".to_owned(),
            "ip link set dev lan up".to_owned(),
            "sysctl -q -w net.ipv4.ip_forward=1".to_owned(),
            "nft add table ip home".to_owned(),
            "nft add chain ip home out { type nat hook postrouting priority 100 ; }".to_owned(),
            "nft add rule ip home out oifname wan masquerade".to_owned(),
            "nft add chain ip home in { type filter hook forward priority 0 ; }".to_owned(),
            "nft add rule ip home in iifname wan ct state new drop".to_owned(),
        ] {
            self.inside(&router, &line)?;
        }
        for line in [
            "ip link set dev lo up",
            "ip addr add 192.168.1.2/24 dev eth",
            "ip link set dev eth up",
            "ip route add default via 192.168.1.1",
        ] {
            self.inside(house, line)?;
        }
        Ok(())
    }

    fn run(&self, line: &str) -> Result<(), String> {
        let words: Vec<_> = line.split(' ').collect();
        let output = Command::new(words[0]).args(&words[1..]).output();
        let output = output.map_err(|error| format!("{line}: {error}"))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(format!(
                "{line}: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            )),
        }
    }

    fn inside(&self, namespace: &str, line: &str) -> Result<(), String> {
        self.run(&format!("ip netns exec {}{namespace} {line}", self.tag))
    }

    /// An actor's command in a namespace.
    fn command(&self, namespace: &str, actor: &Actor) -> Command {
        let own = actor.command();
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &format!("{}{namespace}", self.tag)])
            .arg(own.get_program())
            .args(own.get_args())
            .arg("--insecure-rpc")
            .stdin(Stdio::null());
        for (name, value) in own.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    /// A node at work in a namespace, and its addresses.
    fn serve(&self, namespace: &str, actor: &Actor, options: &[&str]) -> (Process, Vec<String>) {
        let mut command = self.command(namespace, actor);
        command.arg("node").args(options);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let said = first_document(&mut child);
        let addresses = said["addresses"].as_array().unwrap().iter();
        let addresses = addresses
            .map(|it| it.as_str().unwrap().to_owned())
            .collect();
        (Process(child), addresses)
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        let _ = self.run(&format!("ip link del {}h", self.tag));
        for namespace in ["a", "b", "ra", "rb", "p"] {
            let _ = self.run(&format!("ip netns del {}{namespace}", self.tag));
        }
    }
}

/// Carries connections from the namespaces to the chain; returns the URL that they see.
fn forward(url: &str) -> String {
    let to = url.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind((CHAIN, 0)).unwrap();
    let at = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let Ok(chain) = TcpStream::connect(&to) else {
                return;
            };
            for (mut from, mut into) in [
                (stream.try_clone().unwrap(), chain.try_clone().unwrap()),
                (chain, stream),
            ] {
                thread::spawn(move || {
                    let mut buffer = [0; 16 * 1024];
                    while let Ok(read @ 1..) = from.read(&mut buffer) {
                        if into.write_all(&buffer[..read]).is_err() {
                            break;
                        }
                    }
                    let _ = into.shutdown(std::net::Shutdown::Write);
                });
            }
        }
    });
    format!("http://{at}")
}

#[test]
fn a_node_behind_nat_is_reached_by_another_behind_nat_through_a_follower() {
    let net = match Net::new() {
        Ok(net) => net,
        Err(why) => {
            eprintln!("skipped: no network namespaces with NAT here: {why}");
            return;
        }
    };
    let stage = Stage::new();
    let url = forward(stage.chain.url());
    let [patient, clinic, follower] =
        ["patient", "clinic", "consortium"].map(|name| stage.actor(name).through(&url));
    let image = &*stage.known.image;
    for (actor, listen) in [
        (&follower, format!("/ip4/{FOLLOWER}/tcp/4001")),
        (&patient, "/ip4/0.0.0.0/tcp/4001".to_owned()),
        (&clinic, "/ip4/0.0.0.0/tcp/4001".to_owned()),
    ] {
        actor.run(["config", "set", "listen", &listen]).json();
        actor.knows_all(&[] as &[&str]);
    }
    // It keeps no image: what arrives came from the patient's node.
    let (relay, at) = net.serve("p", &follower, &["--follow-chain", "--max-bytes", "1"]);
    let at = at.iter().find(|it| it.contains(FOLLOWER)).unwrap().clone();
    let file = signed(&stage, "nat.network", |file| {
        file.rpcs = vec![NetworkRpc {
            url: url.clone(),
            insecure: true,
        }];
        file.followers = vec![at.clone()];
    });
    for (namespace, actor) in [("a", &patient), ("b", &clinic)] {
        let mut join = net.command(namespace, actor);
        Run::of(join.args(["network", "join", &file])).json();
    }
    let (node, addresses) = net.serve("a", &patient, &[]);
    let circuit = addresses.iter().find(|it| it.contains("/p2p-circuit/"));
    let circuit = circuit.unwrap_or_else(|| panic!("no relay gives a place: {addresses:?}"));
    assert!(circuit.starts_with(&at), "{circuit}");

    // Card and doctor say what others see.
    let card = stage.file("nat.card");
    let run = Run::of(net.command("a", &patient).args(["card", "--out", &card]));
    assert!(!run.stderr.contains("names no address"), "{run:?}");
    run.json();
    let shown = patient.run(["card", "show", &card]).json();
    assert!(shown.to_string().contains("/p2p-circuit/"), "{shown}");
    let looked = Run::of(net.command("a", &patient).arg("doctor")).document();
    let reach = looked
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["what"] == "reachable");
    let reach: &Value = reach.unwrap();
    assert!(reach.to_string().contains("/p2p-circuit/"), "{reach}");

    // The router lets nobody in.
    let open = net.inside("b", "timeout 2 bash -c </dev/tcp/10.77.0.10/4001");
    assert!(open.is_err(), "the router of the other house is closed");

    let peers = ["config", "set", "peers", circuit.as_str()];
    clinic.run(peers).json();
    let out = stage.file("seen.dcm");
    let mut fetch = net.command("b", &clinic);
    fetch.args(["requestor", "fetch", image, "--out", &out]);
    Run::of(&mut fetch).json();
    assert_eq!(std::fs::read(&out).unwrap(), crate::stage::IMAGE);
    assert!(!repo::blocks(&follower.home).contains(image));

    // Without the relay nobody is found.
    drop((relay, node));
    let (_node, addresses) = net.serve("a", &patient, &[]);
    assert!(
        !addresses.iter().any(|it| it.contains("/p2p-circuit/")),
        "{addresses:?}"
    );
}
