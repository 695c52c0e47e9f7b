//! The servers that other tests stand on do what they are started for.

use crate::support::redis::{Cluster, Kind, SentinelSet, Server, info};

#[test]
fn a_killed_server_comes_back_with_what_it_said_was_written() {
    for kind in Kind::ALL {
        let mut server = Server::start(kind, &[]);
        server.command(&["SET", "a", "1"]);
        server.kill();
        assert!(server.try_command(&["PING"]).is_err());
        server.restart();
        assert_eq!(server.text(&["GET", "a"]), "1", "{kind:?}");
    }
}

#[test]
fn a_replica_follows_and_a_paused_one_doesnt() {
    for kind in Kind::ALL {
        let server = Server::start(kind, &[]);
        let replica = server.replica(&[]);
        server.command(&["SET", "a", "1"]);
        let offset = |of: &Server| info(of, "slave_repl_offset");
        assert_eq!(info(&replica, "role"), "slave", "{kind:?}");
        assert!(!offset(&replica).is_empty(), "{kind:?}");
        replica.pause();
        assert!(replica.answers_within(200).is_err(), "{kind:?}");
        replica.resume();
        assert!(replica.answers_within(30_000).is_ok(), "{kind:?}");
    }
}

#[test]
fn sentinels_replace_a_primary_that_is_silent() {
    let set = SentinelSet::start(Kind::Redis);
    let first = set.primary();
    set.servers[first].pause();
    set.wait_for_another_than(first);
}

#[test]
fn a_cluster_serves_all_slots() {
    let cluster = Cluster::start(Kind::Redis);
    let slots = cluster.nodes[1].text(&["CLUSTER", "INFO"]);
    assert!(slots.contains("cluster_slots_ok:16384"), "{slots}");
}
