//! The one shape of every workflow: a pure step from a state and an input to the next state and what has to be done.

/// The state after an input, and the effects that belong to the change. Both are written in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step<S, E> {
    /// The state from now on.
    pub next: S,
    /// What has to be done because of the change, in order.
    pub effects: Vec<E>,
}

impl<S, E> Step<S, E> {
    /// A step to `next` with these effects.
    pub const fn to(next: S, effects: Vec<E>) -> Self {
        Self { next, effects }
    }

    /// A step that changes nothing: the input was already taken.
    pub const fn stay(next: S) -> Self {
        Self {
            next,
            effects: Vec::new(),
        }
    }
}

/// A state that inputs move.
pub trait Machine: Sized {
    /// What may happen to it.
    type Input;
    /// What may have to be done.
    type Effect;
    /// Why an input may be refused.
    type Refusal: std::error::Error;

    /// Takes one input. No clock, no randomness, no I/O: times and ids arrive in the input. An input that was already
    /// taken changes nothing and is no error.
    ///
    /// # Errors
    /// A refusal says which rule forbids the input in this state; the state is unchanged.
    fn step(&self, input: Self::Input) -> Result<Step<Self, Self::Effect>, Self::Refusal>;
}
