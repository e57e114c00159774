//! What is random: numbers from a seed.

/// Numbers that follow from a seed: splitmix64.
pub(crate) struct Random(u64);

impl Random {
    /// All that follow from these together.
    pub(crate) fn new(seeds: &[u64]) -> Self {
        seeds.iter().fold(Self(0), |mut random, seed| Self(random.next() ^ seed))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `end`; 0 where that is 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next().checked_rem(end).unwrap_or(0)
    }

    /// From `first` to `last`, both included.
    pub(crate) fn between(&mut self, first: u64, last: u64) -> u64 {
        first.saturating_add(self.below(last.saturating_sub(first).saturating_add(1)))
    }

    /// Once in so many times.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// From -`most` to `most`, and not 0.
    pub(crate) fn signed(&mut self, most: u64) -> i64 {
        let number = i64::try_from(self.between(1, most)).unwrap_or(i64::MAX);
        if self.once_in(2) { number } else { number.saturating_neg() }
    }

    /// One of these.
    pub(crate) fn choose<T: Clone>(&mut self, first: T, others: &[T]) -> T {
        let count = u64::try_from(others.len()).unwrap_or(u64::MAX).saturating_add(1);
        let index = usize::try_from(self.below(count)).unwrap_or(0);
        index.checked_sub(1).and_then(|index| others.get(index)).cloned().unwrap_or(first)
    }

    /// 32 bytes in base58: what a block hash or an address looks like.
    pub(crate) fn address(&mut self) -> String {
        let bytes: Vec<u8> = (0..4).flat_map(|_| self.next().to_le_bytes()).collect();
        bs58::encode(bytes).into_string()
    }
}
