//! Values that must not be shown.

use zeroize::{Zeroize, Zeroizing};

/// A value that can't be printed and is wiped when it is dropped. There is no `Debug`, `Display` or
/// `Serialize`; whoever needs the value says so with [`Secret::expose`].
pub struct Secret<T: Zeroize>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    /// Takes the value in.
    pub fn new(value: T) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value, for the one place that needs it.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize + Clone> Clone for Secret<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}
