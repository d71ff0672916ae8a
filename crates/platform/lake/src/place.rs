//! Where a lake is: a folder of a bucket, or of this machine.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientOptions, Error as StoreError, ObjectStore, ObjectStoreExt, PutMode,
    PutPayload, RetryConfig,
};

use crate::LakeError;

/// How long one request may take, an upload of a part among them.
const REQUEST_MAX: Duration = Duration::from_secs(120);

/// How often and how long a request is tried again before the failure is told.
const RETRIES: (usize, Duration) = (3, Duration::from_secs(30));

/// Where a lake is, and who asks there.
#[derive(Clone, Default)]
pub struct PlaceSettings {
    /// `s3://bucket/folder` or `file:///folder`.
    pub url: String,
    /// The address of a store other than Amazon's, such as `https://minio.plant.example:9000`; empty:
    /// Amazon's of the region.
    pub endpoint: String,
    /// The region.
    pub region: String,
    /// The access key; empty: what the variables `AWS_…` or the machine's role say.
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
}

/// Says everything but the secret.
impl fmt::Debug for PlaceSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, endpoint, region, access_key, secret_key: _ } = self;
        f.debug_struct("PlaceSettings")
            .field("url", url)
            .field("endpoint", endpoint)
            .field("region", region)
            .field("access_key", access_key)
            .finish_non_exhaustive()
    }
}

/// A store and a folder in it.
#[derive(Debug, Clone)]
pub struct Place {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) root: Path,
}

impl Place {
    /// The place that settings say. Nothing is asked of it yet; a folder of this machine is made.
    ///
    /// # Errors
    /// [`LakeError::Url`].
    pub fn open(settings: &PlaceSettings) -> Result<Self, LakeError> {
        let wrong = |reason: String| LakeError::Url { url: settings.url.clone(), reason };
        if let Some(folder) = settings.url.strip_prefix("file://") {
            if !folder.starts_with('/') {
                return Err(wrong(
                    "file:// needs a folder from the root on: file:///srv/lake".into(),
                ));
            }
            std::fs::create_dir_all(folder).map_err(|error| wrong(error.to_string()))?;
            let store = LocalFileSystem::new_with_prefix(folder);
            let store = store.map_err(|error| wrong(error.to_string()))?;
            return Ok(Self { store: Arc::new(store), root: Path::default() });
        }
        let Some(rest) = settings.url.strip_prefix("s3://") else {
            return Err(wrong("it begins neither with s3:// nor with file://".to_owned()));
        };
        let (bucket, folder) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() || bucket.contains('@') || folder.contains(['?', '#']) {
            return Err(wrong(
                "it is not s3://bucket/folder; keys have settings of their own".into(),
            ));
        }
        let root =
            Path::parse(folder.trim_end_matches('/')).map_err(|error| wrong(error.to_string()))?;
        let store = s3(settings, bucket).map_err(|error| wrong(error.to_string()))?;
        Ok(Self { store, root })
    }

    /// A folder of a store that is already there.
    pub fn of(store: Arc<dyn ObjectStore>, folder: &str) -> Self {
        Self { store, root: Path::from(folder) }
    }

    /// Makes sure that the store puts an object only where none is, if asked to: all that keeps two
    /// writers apart stands on it.
    pub(crate) async fn check(&self, name: &str) -> Result<(), LakeError> {
        let path = self.root.clone().join("_weir").join(name);
        let put =
            || self.store.put_opts(&path, PutPayload::from_static(b"weir"), PutMode::Create.into());
        let probing = || LakeError::store("write to the lake");
        match put().await {
            // Its answer may have been lost: it is there, which is all that is wanted.
            Ok(_) | Err(StoreError::AlreadyExists { .. }) => {}
            Err(StoreError::NotImplemented { .. }) => return Err(LakeError::NotAtomic),
            Err(error) => return Err(probing()(error)),
        }
        let second = put().await;
        let cleaned = self.store.delete(&path).await;
        match second {
            Ok(_) => return Err(LakeError::NotAtomic),
            Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => {}
            Err(error) => return Err(probing()(error)),
        }
        match cleaned {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(LakeError::store("delete from the lake")(error)),
        }
    }
}

fn s3(settings: &PlaceSettings, bucket: &str) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let retry = RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: RETRIES.0,
        retry_timeout: RETRIES.1,
    };
    let mut builder = if settings.access_key.is_empty() {
        AmazonS3Builder::from_env()
    } else {
        AmazonS3Builder::new()
            .with_access_key_id(&settings.access_key)
            .with_secret_access_key(&settings.secret_key)
    };
    builder = builder
        .with_bucket_name(bucket)
        .with_region(&settings.region)
        .with_retry(retry)
        .with_client_options(
            ClientOptions::new()
                .with_timeout(REQUEST_MAX)
                .with_allow_http(settings.endpoint.starts_with("http://")),
        );
    if !settings.endpoint.is_empty() {
        builder = builder.with_endpoint(&settings.endpoint);
    }
    Ok(Arc::new(builder.build()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_are_none_are_told() {
        let open = |url: &str| {
            let url = url.to_owned();
            Place::open(&PlaceSettings {
                url,
                region: "r".into(),
                access_key: "a".into(),
                secret_key: "s".into(),
                ..Default::default()
            })
        };
        for url in [
            "",
            "lake",
            "http://x/y",
            "file://lake",
            "s3://",
            "s3://key:secret@bucket/x",
            "s3://b/x?y",
            "s3://b/x//y",
        ] {
            assert!(matches!(open(url), Err(LakeError::Url { .. })), "{url}");
        }
        assert_eq!(open("s3://bucket").unwrap().root, Path::default());
        assert_eq!(open("s3://bucket/a/b/").unwrap().root, Path::from("a/b"));
    }

    #[test]
    fn a_secret_is_not_shown() {
        let settings = PlaceSettings { secret_key: "hush".to_owned(), ..Default::default() };
        assert!(!format!("{settings:?}").contains("hush"));
    }
}
