//! The slots of a Cluster: which one a key is in, and which node has it.

use redis::{Arg, Cmd, Value};

use crate::adapters::journal::redis::options::Address;

/// How many there are.
const SLOTS: u16 = 16_384;

/// Who has which slots, as a node of the Cluster says.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct SlotMap {
    /// First and last slot, and the primary that has them; in the order of slots.
    ranges: Vec<(u16, u16, Address)>,
    /// All nodes, replicas too.
    pub(super) nodes: Vec<Address>,
}

impl SlotMap {
    /// Reads the answer to `CLUSTER SLOTS` of the node at `asked`.
    pub(super) fn read(answer: &Value, asked: &Address) -> Option<Self> {
        let Value::Array(ranges) = answer else {
            return None;
        };
        let mut map = Self::default();
        for range in ranges {
            let Value::Array(range) = range else {
                return None;
            };
            let [Value::Int(first), Value::Int(last), nodes @ ..] = range.as_slice() else {
                return None;
            };
            let (first, last) = (u16::try_from(*first).ok()?, u16::try_from(*last).ok()?);
            let nodes: Option<Vec<Address>> =
                nodes.iter().map(|node| address(node, asked)).collect();
            let nodes = nodes?;
            map.ranges.push((first, last, nodes.first()?.clone()));
            map.nodes.extend(nodes);
        }
        map.ranges.sort_by_key(|(first, ..)| *first);
        map.nodes.sort_by_key(ToString::to_string);
        map.nodes.dedup();
        Some(map)
    }

    /// The primary that has a slot.
    pub(super) fn primary(&self, slot: u16) -> Option<&Address> {
        let holds = |(first, last, _): &&(u16, u16, Address)| (*first..=*last).contains(&slot);
        self.ranges.iter().find(holds).map(|(.., address)| address)
    }

    /// The primaries in the order of their first slots, each once.
    pub(super) fn primaries(&self) -> Vec<&Address> {
        let mut primaries = Vec::new();
        for (.., address) in &self.ranges {
            if !primaries.contains(&address) {
                primaries.push(address);
            }
        }
        primaries
    }
}

fn address(node: &Value, asked: &Address) -> Option<Address> {
    let Value::Array(node) = node else {
        return None;
    };
    let [host, Value::Int(port), ..] = node.as_slice() else {
        return None;
    };
    let host: Option<String> = redis::from_redis_value_ref(host).ok()?;
    Some(Address {
        // A node that has not been told its own name leaves it to whoever has reached it.
        host: host
            .filter(|host| !host.is_empty() && host != "?")
            .unwrap_or_else(|| asked.host.clone()),
        port: u16::try_from(*port).ok()?,
    })
}

/// The slot of a key: of what stands between its first `{` and the `}` after it, if anything does.
pub(super) fn slot_of(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = &key[open + 1..];
        let close = rest.iter().position(|byte| *byte == b'}')?;
        (close > 0).then(|| &rest[..close])
    });
    crc16(tag.unwrap_or(key)) % SLOTS
}

/// CRC-16/XMODEM, as the specification of Redis Cluster asks for it.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc: u16, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            (crc << 1) ^ if crc & 0x8000 == 0 { 0 } else { 0x1021 }
        })
    })
}

/// The slot that a command is for: of a Function's first key, of any other command's first argument.
/// `None` if it has none that is a key of ours, which always carries a tag.
pub(super) fn slot_of_command(command: &Cmd) -> Option<u16> {
    let mut args = command.args_iter().filter_map(|arg| match arg {
        Arg::Simple(bytes) => Some(bytes),
        _ => None,
    });
    let name = args.next()?;
    let key = if name == b"FCALL" {
        args.nth(2)?
    } else {
        args.next()?
    };
    key.windows(2).any(|two| two == b":{").then(|| slot_of(key))
}

/// Where a `MOVED` or `ASK` points to.
pub(super) fn pointed_to(details: &str, asked: &Address) -> Option<Address> {
    // "3999 127.0.0.1:6381", whose host may be empty.
    let (_, address) = details.trim().split_once(' ')?;
    let (host, port) = address.rsplit_once(':')?;
    let host = if host.is_empty() { &asked.host } else { host };
    Some(Address {
        host: host.trim_matches(['[', ']']).to_owned(),
        port: port.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first is of the specification; the others are what `CLUSTER KEYSLOT` answers.
    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        assert_eq!(slot_of(b"foo"), 12_182);
        assert_eq!(slot_of(b"{user1000}.following"), slot_of(b"user1000"));
        assert_eq!(slot_of(b"foo{}{bar}"), crc16(b"foo{}{bar}") % SLOTS);
        assert_eq!(slot_of(b"foo{{bar}}zap"), slot_of(b"{bar"));
        assert_eq!(slot_of(b"foo{bar}{zap}"), slot_of(b"bar"));
    }

    #[test]
    fn a_command_goes_where_its_first_key_is() {
        let mut call = redis::cmd("FCALL");
        call.arg("f").arg(2).arg("teller:{p17}:r:x").arg("gap");
        assert_eq!(slot_of_command(&call), Some(slot_of(b"p17")));
        let mut read = redis::cmd("HGET");
        read.arg("teller:{r86}:ref").arg("bank");
        assert_eq!(slot_of_command(&read), Some(slot_of(b"r86")));
        for keyless in ["TIME", "PING"] {
            assert_eq!(slot_of_command(&redis::cmd(keyless)), None);
        }
        let mut info = redis::cmd("INFO");
        info.arg("server");
        assert_eq!(slot_of_command(&info), None);
    }

    #[test]
    fn a_map_is_read_with_the_names_that_nodes_leave_out() {
        let node = |host: &str, port| {
            let host = Value::BulkString(host.as_bytes().to_vec());
            Value::Array(vec![host, Value::Int(port)])
        };
        let range = |first, last, nodes: Vec<Value>| {
            let ends = vec![Value::Int(first), Value::Int(last)];
            Value::Array([ends, nodes].concat())
        };
        let answer = Value::Array(vec![
            range(8192, 16_383, vec![node("b", 2), node("c", 3)]),
            range(0, 8191, vec![node("", 1)]),
        ]);
        let asked = Address {
            host: "a".to_owned(),
            port: 9,
        };
        let map = SlotMap::read(&answer, &asked).expect("a map");
        let of = |slot| map.primary(slot).map(ToString::to_string);
        assert_eq!(of(8191).as_deref(), Some("a:1"));
        assert_eq!(of(8192).as_deref(), Some("b:2"));
        assert_eq!(of(SLOTS), None);
        assert_eq!(map.primaries().len(), 2);
        assert_eq!(map.nodes.len(), 3);
        let moved = pointed_to("3999 127.0.0.1:6381", &asked);
        let moved = moved.map(|address| address.to_string());
        assert_eq!(moved.as_deref(), Some("127.0.0.1:6381"));
        let same_host = pointed_to("3999 :6381", &asked).map(|address| address.to_string());
        assert_eq!(same_host.as_deref(), Some("a:6381"));
    }
}
