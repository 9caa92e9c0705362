//! How a node behaves. All of them are driven by the same core; what differs is what it is told, and
//! what of its words goes out.

/// A node's behaviour.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Character {
    /// As it should.
    Honest,
    /// A provider whose results are wrong: all liars of one number say the same.
    Liar(u8),
    /// A provider whose results are wrong so often of 1,000 times, each of its kind in its own way.
    Sometimes {
        /// Which lie it tells.
        lie: u8,
        /// How often.
        parts: u16,
    },
    /// A provider that runs nothing. It promises something, and shows what others have shown; where
    /// nobody has, something made up.
    Copier,
    /// A provider of a ring, which knows who has the seats of a unit: it lies, and all in the same way,
    /// where these are as many as the ticket says and all of the ring. The broker's mind is the only
    /// thing that it cannot read.
    Ring,
    /// One identity of a flood: it lies as all others of it do, and as soon as it is caught it is gone,
    /// and another one comes with a fresh key and a fresh bond.
    Sybil,
    /// A provider that takes orders and never answers again.
    Silent,
    /// A provider that promises results and never shows them.
    Hiding,
    /// A provider whose machine fails at everything.
    Failing,
    /// A provider whose machine fails, so often at first.
    Shaky(u32),
    /// A provider that cannot get what the requester has, so often at first.
    Cut(u32),
    /// A provider that has no room on its disk, so often at first.
    Full(u32),
    /// A provider that takes so many times as long.
    Slow(u16),
    /// A provider that is honest so often, and lies from then on.
    Turncoat(u32),
    /// A provider that is gone for ever as soon as it is asked to reduce.
    Mapper,
    /// A provider whose results are right, but for their length: it says they are longer.
    Padder,
    /// A provider that is honest so often. From then on it lies, and lets its lease lapse before it
    /// promises anything: whoever comes late might not be looked at as closely.
    Lapsing(u32),
    /// A provider that says that it works for somebody else, who is honest, and lies.
    Impostor,
    /// A requester that never vouches: whoever works for it has to show that to the ledger.
    Stingy,
    /// A requester that says that its jobs are over and that it wants none of what it has seen, and
    /// leaves its escrows open.
    Sulky,
    /// A requester that closes its escrows and never says that its jobs are over, nor vouches.
    Quiet,
    /// A requester that vouches a whole escrow to itself as soon as others have worked.
    Drainer,
    /// A requester whose escrows hold a tenth of what it orders for.
    Pauper,
    /// Somebody without jobs, who orders work in the names of those of others.
    Stranger,
    /// A requester whose own sybils outvote whoever else works for it, so that it need not pay.
    Crony,
    /// Such a sybil.
    Shill,
}

impl Character {
    /// Whether it does no wrong on purpose: it must never lose its bond.
    pub fn is_honest(self) -> bool {
        matches!(
            self,
            Self::Honest
                | Self::Silent
                | Self::Failing
                | Self::Shaky(_)
                | Self::Cut(_)
                | Self::Full(_)
                | Self::Slow(_)
                | Self::Mapper
        )
    }

    /// Whether others say the same wrong thing: then a unit's result can be wrong although it was
    /// compared.
    pub fn colludes(self) -> bool {
        matches!(self, Self::Ring | Self::Sybil | Self::Shill)
    }

    /// Whether some of its results are wrong.
    pub fn lies(self) -> bool {
        match self {
            Self::Liar(_)
            | Self::Sometimes { .. }
            | Self::Copier
            | Self::Turncoat(_)
            | Self::Padder
            | Self::Lapsing(_)
            | Self::Impostor => true,
            _ => self.colludes(),
        }
    }
}
