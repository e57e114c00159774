//! Random changes.

use crate::random::Random;

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
