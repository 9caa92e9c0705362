//! A node's key and its libp2p peer id are one thing in two spellings.

use libp2p::{PeerId, identity::Keypair};
use opensky_protocol::NodeKey;

/// What stands before an ed25519 key in a peer id: the multihash "identity", 36 bytes long, of a
/// protobuf message with key type 1 and a key of 32 bytes.
const PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

/// The key pair that libp2p signs and shakes hands with.
pub fn keypair(seed: &[u8; 32]) -> Keypair {
    Keypair::ed25519_from_bytes(*seed).expect("any 32 bytes are an ed25519 secret")
}

/// The peer that `node` is. `None` if the bytes are no peer id, which no 32 bytes are.
pub fn peer_of(node: NodeKey) -> Option<PeerId> {
    PeerId::from_bytes(&[&PREFIX[..], &node.0].concat()).ok()
}

/// The node that `peer` is: `None` for peers whose key is of another kind, which are no nodes.
pub fn node_of(peer: &PeerId) -> Option<NodeKey> {
    let bytes = peer.to_bytes();
    let key = bytes.strip_prefix(&PREFIX)?;
    Some(NodeKey(key.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use opensky_protocol::SecretKey;

    use super::*;

    #[test]
    fn key_and_peer_id_are_each_read_from_the_other() {
        let seed = [7; 32];
        let peer = keypair(&seed).public().to_peer_id();
        let node = SecretKey::from_seed(&seed).node();
        assert_eq!(node_of(&peer), Some(node));
        assert_eq!(peer_of(node), Some(peer));
    }

    #[test]
    fn peer_with_another_kind_of_key_is_no_node() {
        // SHA-256 of a long key, as peers with RSA keys have.
        let peer = PeerId::from_bytes(&[&[0x12, 0x20][..], &[9; 32]].concat()).unwrap();
        assert_eq!(node_of(&peer), None);
    }
}
