//! The journal over real servers.

use super::super::servers::Server;
use super::*;

/// Options for a server of a test.
pub(super) fn at(server: &Server) -> Options {
    Options::new(Place::Server(Address {
        host: "127.0.0.1".to_owned(),
        port: server.port(),
    }))
}

/// Gives every partition to whoever acts by [`crate::ports::Tenure::ALONE`].
pub(super) fn own_everything(server: &Server) {
    let give = "for n = 0, 255 do redis.call('HSET', 'teller:{p' .. n .. '}:lease', \
                'epoch', '0', 'claim', ARGV[1]) end";
    let nobody = uuid::Uuid::nil().to_string();
    server.command(&["EVAL", give, "0", &nobody]);
}

/// A journal over a server, whose partitions are all owned.
pub(in super::super) async fn owned(server: &Server) -> RedisJournal {
    own_everything(server);
    let journal = RedisJournal::connect(at(server)).await;
    journal.expect("a server that was started for it")
}
