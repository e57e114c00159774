//! Random changes.

/// Numbers from a seed: splitmix64.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `end`; 0 where that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end.max(1) as u64)).unwrap_or(0)
    }

    pub fn choose<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Once in so many times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// A number, often one at which something changes.
    pub fn number(&mut self) -> u64 {
        const EDGES: [u64; 12] =
            [0, 1, 2, 8, 255, 10_000, 10_001, u32::MAX as u64, i64::MAX as u64, 1 << 63, u64::MAX - 1, u64::MAX];
        match self.below(3) {
            0 => *self.choose(&EDGES),
            1 => self.next() >> self.below(64),
            _ => self.next(),
        }
    }
}

/// Changes bytes, without knowing what they are.
pub fn bytes(input: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(input.len());
    match random.below(9) {
        0 if !input.is_empty() => input[at] ^= 1 << random.below(8),
        1 if !input.is_empty() => input[at] = *random.choose(&[0, 1, 2, 3, 8, 9, 0x7f, 0x80, 0xfe, 0xff]),
        2 if !input.is_empty() => input[at] = random.next() as u8,
        // A number, of any size, often where numbers stand.
        3 | 4 => {
            let size = 1 << random.below(4);
            let at = if random.once_in(2) { at } else { at / size * size };
            let number = random.number().to_le_bytes();
            if let Some(place) = input.get_mut(at..at + size) {
                place.copy_from_slice(&number[..size]);
            }
        }
        5 => input.truncate(at),
        6 => {
            let more = 1 + random.below(48);
            let byte = random.next() as u8;
            input.resize(input.len() + more, byte);
        }
        7 if !input.is_empty() => {
            input.remove(at);
        }
        // A piece of it, elsewhere.
        _ => {
            let length = random.below(40).min(input.len() - at);
            let piece = input[at..at + length].to_vec();
            let to = random.below(input.len() - length + 1);
            input[to..to + length].copy_from_slice(&piece);
        }
    }
}

/// Changes text: bytes, or a word that means something.
pub fn text(words: &[&str], input: &mut Vec<u8>, random: &mut Random) {
    if random.once_in(2) {
        return bytes(input, random);
    }
    let at = random.below(input.len() + 1);
    let word = random.choose(words).as_bytes();
    let end = if random.once_in(2) { at } else { (at + word.len()).min(input.len()) };
    input.splice(at..end, word.iter().copied());
}
