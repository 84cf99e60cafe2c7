//! Reading objects that nobody vouches for.
//!
//! An object's header is asked before its bytes, so that a small file that claims or inflates to gigabytes costs nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use gix::objs::{Data, Find as _};
use gix::{ObjectId, Repository, ThreadSafeRepository};

use super::gaps::Gap;

/// Bytes of an object; larger ones are a gap.
pub(super) const LARGEST: u64 = 128 << 20;
/// Bytes that one object may cost on the way through its chain of differences.
const CHAIN: u64 = 16 << 30;
/// Differences in a row; git makes no more than 4095.
const DELTAS: u32 = 4096;
/// Bytes of decoded bases that all threads together keep.
const CACHE: usize = 512 << 20;

/// One thread's door to the objects.
pub(super) struct Objects {
    repository: Repository,
    deadline: Option<Instant>,
}

impl Objects {
    /// The objects of `repository` until `deadline`, for one of `threads` threads.
    pub(super) fn of(repository: &ThreadSafeRepository, threads: usize, deadline: Option<Instant>) -> Self {
        let mut local = repository.to_thread_local();
        let share = (CACHE / threads.max(1)).clamp(4 << 20, 64 << 20);
        local.objects.set_pack_cache(move || Box::new(gix::odb::pack::cache::lru::MemoryCappedHashmap::new(share)));
        // Nothing comes while we look, and a missing object must not make all packs be listed again.
        local.objects.refresh_never();
        Self { repository: local, deadline }
    }

    /// What kind of ids the repository has.
    pub(super) fn hash(&self) -> gix::hash::Kind {
        self.repository.object_hash()
    }

    /// How large the object is once decoded.
    pub(super) fn size(&self, id: ObjectId) -> Result<u64, Gap> {
        if self.deadline.is_some_and(|deadline| Instant::now() > deadline) {
            return Err(Gap::OutOfTime);
        }
        let header = guarded(|| self.repository.try_find_header(id))?.ok_or(Gap::Missing)?;
        let deltas = header.num_deltas().unwrap_or(0);
        if header.size() > LARGEST || deltas > DELTAS || header.size().saturating_mul(u64::from(deltas)) > CHAIN {
            return Err(Gap::TooLarge);
        }
        Ok(header.size())
    }

    /// The object's bytes, in `buffer`.
    pub(super) fn read<'a>(&self, id: ObjectId, buffer: &'a mut Vec<u8>) -> Result<Data<'a>, Gap> {
        self.size(id)?;
        self.decode(id, buffer)
    }

    /// The same for an object whose [`Objects::size`] was asked.
    pub(super) fn decode<'a>(&self, id: ObjectId, buffer: &'a mut Vec<u8>) -> Result<Data<'a>, Gap> {
        guarded(move || self.repository.objects.try_find(&id, buffer))?.ok_or(Gap::Missing)
    }
}

/// A decoder that gives up by panicking has met a damaged object like one that returns an error.
fn guarded<T, E>(read: impl FnOnce() -> Result<T, E>) -> Result<T, Gap> {
    catch_unwind(AssertUnwindSafe(read)).map_or(Err(Gap::Damaged), |read| read.map_err(|_| Gap::Damaged))
}
