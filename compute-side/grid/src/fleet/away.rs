//! Devices that are away, in the order in which they left.
//!
//! Each knows its neighbours in that order, so whoever comes back is taken out at once, however many
//! are away, and eight bytes are all that a device costs.

/// In place of a number: nobody.
const NOBODY: u32 = u32::MAX;

/// A device's neighbours, by number.
#[derive(Clone, Copy, Debug)]
struct Neighbours {
    /// Who left before; the device itself if it is not away.
    before: u32,
    after: u32,
}

/// Devices that are away.
#[derive(Clone, Debug)]
pub(super) struct Away {
    /// Those of each device, by its number.
    neighbours: Vec<Neighbours>,
    first: u32,
    last: u32,
}

impl Default for Away {
    fn default() -> Self {
        Self {
            neighbours: Vec::new(),
            first: NOBODY,
            last: NOBODY,
        }
    }
}

impl Away {
    /// Who is away longest.
    pub(super) fn first(&self) -> Option<u32> {
        Some(self.first).filter(|first| *first != NOBODY)
    }

    /// A device left. One that is away already left before.
    pub(super) fn leave(&mut self, number: u32) {
        for new in self.neighbours.len() as u32..=number {
            self.neighbours.push(Neighbours {
                before: new,
                after: NOBODY,
            });
        }
        let last = self.last;
        let Some(neighbours) = self.get_mut(number).filter(|it| it.before == number) else {
            return;
        };
        *neighbours = Neighbours {
            before: last,
            after: NOBODY,
        };
        self.join(last, number);
        self.join(number, NOBODY);
    }

    /// A device is here again, or not known any more.
    pub(super) fn take_out(&mut self, number: u32) {
        let Some(neighbours) = self.get_mut(number).filter(|it| it.before != number) else {
            return;
        };
        let Neighbours { before, after } = *neighbours;
        neighbours.before = number;
        self.join(before, after);
    }

    /// One left just before the other; either may be nobody.
    fn join(&mut self, before: u32, after: u32) {
        match self.get_mut(before) {
            Some(neighbours) => neighbours.after = after,
            None => self.first = after,
        }
        match self.get_mut(after) {
            Some(neighbours) => neighbours.before = before,
            None => self.last = before,
        }
    }

    fn get_mut(&mut self, number: u32) -> Option<&mut Neighbours> {
        self.neighbours.get_mut(number as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn who_is_away_longest_is_the_first_of_a_list(
            steps in prop::collection::vec((any::<bool>(), 0u32..9), 0..200)
        ) {
            let (mut away, mut list) = (Away::default(), Vec::new());
            for (leaves, number) in steps {
                match leaves {
                    true => {
                        away.leave(number);
                        if !list.contains(&number) {
                            list.push(number);
                        }
                    }
                    false => {
                        away.take_out(number);
                        list.retain(|it| *it != number);
                    }
                }
                prop_assert_eq!(away.first(), list.first().copied());
            }
            // To the last one, in their order.
            for number in list {
                prop_assert_eq!(away.first(), Some(number));
                away.take_out(number);
            }
            prop_assert_eq!(away.first(), None);
        }
    }
}
