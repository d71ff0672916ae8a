//! Files with a wrong bit.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::dice::Dice;

/// A file with a bit that is the other way round, until this is dropped: that very file, under
/// whatever name it has by then.
#[derive(Debug)]
pub(super) struct Flipped {
    file: File,
    pub(super) offset: u64,
    pub(super) bit: u8,
}

impl Flipped {
    pub(super) fn bit_of(path: &Path, dice: &mut Dice) -> Option<Self> {
        let file = File::options().read(true).write(true).open(path).ok()?;
        let length = file.metadata().unwrap().len() as usize;
        if length == 0 {
            return None;
        }
        let (offset, bit) = (dice.below(length) as u64, 1 << dice.below(8));
        let flipped = Self { file, offset, bit };
        flipped.flip();
        Some(flipped)
    }

    fn flip(&self) {
        let mut byte = [0];
        self.file.read_exact_at(&mut byte, self.offset).unwrap();
        self.file.write_all_at(&[byte[0] ^ self.bit], self.offset).unwrap();
    }
}

impl Drop for Flipped {
    fn drop(&mut self) {
        self.flip();
    }
}
