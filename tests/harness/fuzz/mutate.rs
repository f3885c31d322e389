//! Small changes to an input.

use crate::faults::Chance;

/// Numbers at the edges of what readers hold.
const EDGES: [&[u8]; 12] = [
    b"0",
    b"-1",
    b"255",
    b"65536",
    b"2147483648",
    b"18446744073709551616",
    b"1e999",
    b"\x00",
    b"\xff",
    b"\xff\xff\xff\xff",
    b"\x7f",
    b"\x80",
];

fn at(length: usize, chance: &mut Chance) -> usize {
    usize::try_from(chance.below(length as u64 + 1)).unwrap_or(0)
}

/// A part of an input, of any length up to this.
fn part(input: &[u8], most: usize, chance: &mut Chance) -> std::ops::Range<usize> {
    let from = at(input.len(), chance);
    let to = (from + at(most, chance)).min(input.len());
    from..to
}

fn insert(input: &mut Vec<u8>, what: &[u8], chance: &mut Chance) {
    let place = at(input.len(), chance);
    input.splice(place..place, what.iter().copied());
}

/// One change.
pub(super) fn once(input: &mut Vec<u8>, pool: &[Vec<u8>], words: &[&str], chance: &mut Chance) {
    match chance.below(10) {
        0 if !input.is_empty() => {
            let place = at(input.len() - 1, chance);
            input[place] ^= 1 << chance.below(8);
        }
        1 if !input.is_empty() => {
            let place = at(input.len() - 1, chance);
            input[place] = u8::try_from(chance.below(256)).unwrap_or(0);
        }
        2 => drop(input.drain(part(input, 16, chance))),
        3 => {
            let copy = input[part(input, 64, chance)].to_vec();
            insert(input, &copy, chance);
        }
        4 => {
            // Many times: nesting, length.
            let copy = input[part(input, 8, chance)].to_vec();
            let times = 1 + at(200, chance);
            insert(input, &copy.repeat(times), chance);
        }
        5 => {
            let other = chance.one(pool);
            let piece = other[part(other, 256, chance)].to_vec();
            insert(input, &piece, chance);
        }
        6 => {
            let other = chance.one(pool);
            let (own, theirs) = (at(input.len(), chance), at(other.len(), chance));
            input.truncate(own);
            input.extend_from_slice(&other[theirs..]);
        }
        7 | 8 if !words.is_empty() => {
            let word = *chance.one(words);
            insert(input, word.as_bytes(), chance);
        }
        _ => {
            let edge = *chance.one(&EDGES);
            insert(input, edge, chance);
        }
    }
}
