//! Copying a file to the store: in parts, a few of them in memory at a time.
//!
//! Every byte was verified against the file's own checksums when it was read; on its way to S3, the
//! signature of each request covers the SHA-256 of what it carries.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt};
use tokio_util::sync::CancellationToken;

use crate::LakeError;
use crate::history::PieceFile;

/// Bytes of a part: S3 takes 10,000 of them, so that a file may have 156 GiB.
pub(crate) const PART_BYTES: u64 = 16 << 20;

/// Parts on their way at the same time.
const PARTS_AT_ONCE: usize = 2;

/// Copies a file. What a failure leaves is no object; a crash may leave parts that the store
/// forgets by a rule of its own.
pub(crate) async fn upload(
    store: &dyn ObjectStore,
    path: &Path,
    file: Arc<dyn PieceFile>,
    part_bytes: u64,
    stop: &CancellationToken,
) -> Result<(), LakeError> {
    let uploading = || LakeError::store("upload a file");
    if file.bytes() <= part_bytes {
        let bytes = read(&file, 0, part_bytes).await?;
        return store.put(path, bytes.into()).await.map(drop).map_err(uploading());
    }
    let mut upload = store.put_multipart(path).await.map_err(uploading())?;
    let sent = send(&mut *upload, &file, part_bytes, stop).await;
    let done = match sent {
        Ok(()) => upload.complete().await.map(drop).map_err(uploading()),
        failed => failed,
    };
    if done.is_err() {
        // The failure that led here is the one to tell.
        let _ = upload.abort().await;
    }
    done
}

async fn send(
    upload: &mut dyn MultipartUpload,
    file: &Arc<dyn PieceFile>,
    part_bytes: u64,
    stop: &CancellationToken,
) -> Result<(), LakeError> {
    let mut parts = FuturesUnordered::new();
    let mut offset = 0;
    while offset < file.bytes() || !parts.is_empty() {
        if parts.len() >= PARTS_AT_ONCE || offset >= file.bytes() {
            let sent: Option<object_store::Result<()>> = parts.next().await;
            sent.transpose().map_err(LakeError::store("upload a part of a file"))?;
            continue;
        }
        if stop.is_cancelled() {
            return Err(LakeError::Interrupted);
        }
        let bytes = read(file, offset, part_bytes).await?;
        offset += bytes.len() as u64;
        parts.push(upload.put_part(bytes.into()));
    }
    Ok(())
}

async fn read(file: &Arc<dyn PieceFile>, offset: u64, length: u64) -> Result<Bytes, LakeError> {
    let file = Arc::clone(file);
    let length = length.min(file.bytes() - offset);
    let read = tokio::task::spawn_blocking(move || file.read(offset, length as usize)).await;
    let bytes = read.map_err(|_| LakeError::Interrupted)?.map_err(LakeError::Source)?;
    if bytes.len() as u64 != length {
        return Err(LakeError::Source("a file is shorter than it should be".to_owned()));
    }
    Ok(bytes)
}
