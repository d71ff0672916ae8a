use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result as StoreResult, UploadPart,
};

use super::*;

/// A store that fails at some calls: before they have an effect, or after it.
#[derive(Debug)]
struct FaultyStore {
    inner: InMemory,
    calls: AtomicU64,
    /// The calls that fail.
    faults: Mutex<Range<u64>>,
    /// Whether they have their effect nevertheless.
    is_done: Mutex<bool>,
}

impl std::fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FaultyStore")
    }
}

fn fault() -> StoreError {
    StoreError::Generic { store: "FaultyStore", source: "the answer was lost".into() }
}

impl FaultyStore {
    fn new() -> Arc<Self> {
        let (calls, faults) = (AtomicU64::new(0), Mutex::new(0..0));
        Arc::new(Self { inner: InMemory::new(), calls, faults, is_done: Mutex::new(false) })
    }

    /// Lets calls fail from the n-th from now on.
    fn fail(&self, from: u64, count: u64, is_done: bool) {
        let from = self.calls.load(Ordering::SeqCst) + from;
        *self.faults.lock().unwrap() = from..from + count;
        *self.is_done.lock().unwrap() = is_done;
    }

    /// Whether this call fails, and whether it is done nevertheless.
    fn next(&self) -> (bool, bool) {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        (self.faults.lock().unwrap().contains(&call), *self.is_done.lock().unwrap())
    }

    async fn call<T>(&self, call: impl Future<Output = StoreResult<T>>) -> StoreResult<T> {
        match self.next() {
            (true, false) => Err(fault()),
            (true, true) => call.await.and(Err(fault())),
            (false, _) => call.await,
        }
    }
}

#[derive(Debug)]
struct FaultyUpload(Box<dyn MultipartUpload>, Arc<Mutex<bool>>);

#[async_trait::async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.0.put_part(data)
    }
    async fn complete(&mut self) -> StoreResult<PutResult> {
        let fails = *self.1.lock().unwrap();
        if fails { Err(fault()) } else { self.0.complete().await }
    }
    async fn abort(&mut self) -> StoreResult<()> {
        self.0.abort().await
    }
}

#[async_trait::async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(
        &self,
        at: &Path,
        bytes: PutPayload,
        options: PutOptions,
    ) -> StoreResult<PutResult> {
        self.call(self.inner.put_opts(at, bytes, options)).await
    }
    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> StoreResult<Box<dyn MultipartUpload>> {
        let (fails, _) = self.next();
        let upload = self.inner.put_multipart_opts(at, options).await?;
        Ok(Box::new(FaultyUpload(upload, Arc::new(Mutex::new(fails)))))
    }
    async fn get_opts(&self, at: &Path, options: GetOptions) -> StoreResult<GetResult> {
        self.call(self.inner.get_opts(at, options)).await
    }
    fn delete_stream(
        &self,
        paths: BoxStream<'static, StoreResult<Path>>,
    ) -> BoxStream<'static, StoreResult<Path>> {
        match self.next() {
            (true, false) => futures::stream::iter([Err(fault())]).boxed(),
            _ => self.inner.delete_stream(paths),
        }
    }
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        match self.next() {
            (true, _) => futures::stream::iter([Err(fault())]).boxed(),
            _ => self.inner.list(prefix),
        }
    }
    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> StoreResult<ListResult> {
        self.call(self.inner.list_with_delimiter(prefix)).await
    }
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> StoreResult<()> {
        self.call(self.inner.copy_opts(from, to, options)).await
    }
}

/// A file of a history that is made up: its bytes follow from its number.
#[derive(Clone)]
struct Made(u64);

impl Made {
    fn content(&self) -> Bytes {
        let length = 10 + self.0 as usize * 37 % 300;
        (0..length).map(|at| (self.0 as usize + at) as u8).collect::<Vec<_>>().into()
    }
}

impl Piece for Made {
    fn name(&self) -> String {
        format!("block-{:04}.parquet", self.0)
    }
    fn open(&self) -> Result<Option<Box<dyn PieceFile>>, String> {
        Ok(Some(Box::new(self.clone())))
    }
}

impl PieceFile for Made {
    fn bytes(&self) -> u64 {
        self.content().len() as u64
    }
    fn rows(&self) -> u64 {
        1
    }
    fn tags(&self) -> (u32, u32) {
        (1, 2)
    }
    fn times(&self) -> (i64, i64) {
        (0, 1)
    }
    fn read(&self, offset: u64, length: usize) -> Result<Bytes, String> {
        let content = self.content();
        let to = (offset as usize + length).min(content.len());
        Ok(content.slice(offset as usize..to))
    }
}

type Months = BTreeMap<(u32, u32), Vec<u64>>;

fn state(months: &Months, position: u64) -> State {
    let months = months.iter().map(|((tenant, month), files)| Month {
        tenant: TenantId(*tenant),
        month: format!("2026-{month:02}"),
        pieces: Ok(files.iter().map(|file| Arc::new(Made(*file)) as Arc<dyn Piece>).collect()),
    });
    State { position, months: months.collect(), still: Arc::new(|| Ok(())) }
}

/// The paths of the files of a state, by month's folder.
fn paths(months: &Months) -> BTreeMap<String, Vec<String>> {
    let of = |((tenant, month), files): (&(u32, u32), &Vec<u64>)| {
        let folder = folder(TenantId(*tenant), &format!("2026-{month:02}"));
        let mut paths: Vec<String> =
            files.iter().map(|file| format!("{folder}/{}", Made(*file).name())).collect();
        paths.sort();
        (folder, paths)
    };
    months.iter().map(of).collect()
}

fn by_month(snapshot: &Snapshot) -> BTreeMap<String, Vec<String>> {
    let mut months: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in snapshot.files.keys() {
        let (folder, _) = path.rsplit_once('/').unwrap();
        months.entry(folder.to_owned()).or_default().push(path.clone());
    }
    months
}

fn options(node: &str) -> TableOptions {
    TableOptions {
        pause: Duration::ZERO,
        checkpoint_commits: 5,
        part_bytes: 100,
        ..TableOptions::new(node.to_owned(), Duration::from_secs(3600))
    }
}

async fn bring(store: &Arc<FaultyStore>, months: &Months, at: u64) -> Result<Brought, LakeError> {
    let place = Place::of(store.clone(), "lake");
    let mut table = Table::open(place, options("node")).await?;
    table.bring(&state(months, at), &CancellationToken::new(), &mut |_| {}).await
}

/// A generator of numbers that follow from a seed (SplitMix64).
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

/// What a history does next: a new file, a merge of all files of a month, or a month that goes.
fn change(months: &mut Months, next: &mut u64, seeded: &mut Seeded) {
    let key = (1 + seeded.below(2) as u32, 1 + seeded.below(3) as u32);
    *next += 1;
    match seeded.below(8) {
        0 => drop(months.remove(&key)),
        1 | 2 if months.contains_key(&key) => drop(months.insert(key, vec![*next])),
        _ => months.entry(key).or_default().push(*next),
    }
}

/// Whatever fails, wherever a process ends: every version of the table has of each month what the
/// history had of it at some time, and all of it is there; and in the end it has all.
#[tokio::test]
async fn every_version_is_a_state_of_the_history() {
    for seed in 0..200 {
        let mut seeded = Seeded(seed);
        let store = FaultyStore::new();
        let mut months = Months::new();
        let mut seen: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
        let mut next = 0;
        for at in 0..12 {
            for _ in 0..=seeded.below(3) {
                change(&mut months, &mut next, &mut seeded);
            }
            for (folder, paths) in paths(&months) {
                seen.entry(folder).or_default().push(paths);
            }
            // One lost call, or all from one on, as if the process had ended there.
            let count = if seeded.below(2) == 0 { 1 } else { 1000 };
            store.fail(seeded.below(25), count, seeded.below(2) == 0);
            let _ = bring(&store, &months, at).await;
        }
        store.fail(0, 0, false);
        bring(&store, &months, 12).await.unwrap();
        let log = Log::new(store.clone(), &Path::from("lake"), Duration::ZERO);
        let last = log.load().await.unwrap();
        assert_eq!(by_month(&last), paths(&months), "seed {seed}");
        // Time travel.
        let mut version = Snapshot::default();
        for number in 0..=last.version.unwrap() {
            let path = Path::from(format!("lake/_delta_log/{number:020}.json"));
            let bytes = store.inner.get(&path).await.unwrap().bytes().await.unwrap();
            version.commit(number, crate::action::parse(&bytes).unwrap());
            for (folder, paths) in by_month(&version) {
                assert!(seen[&folder].contains(&paths), "seed {seed}, version {number}: {paths:?}");
            }
            for path in version.files.keys() {
                let name = path.rsplit_once("block-").unwrap().1.trim_end_matches(".parquet");
                let found = store.inner.get(&Path::from(format!("lake/{path}"))).await.unwrap();
                assert_eq!(found.bytes().await.unwrap(), Made(name.parse().unwrap()).content());
            }
        }
        assert!(version.files.keys().eq(last.files.keys()), "seed {seed}");
    }
}

#[tokio::test]
async fn nothing_new_is_no_commit_and_no_upload() {
    let store = FaultyStore::new();
    let months = Months::from([((1, 1), vec![1, 2]), ((1, 2), vec![3])]);
    let first = bring(&store, &months, 5).await.unwrap();
    assert_eq!((first.commits, first.uploaded.0, first.added, first.removed), (1, 3, 3, 0));
    let second = bring(&store, &months, 6).await.unwrap();
    assert_eq!(second, Brought::default());
    // A merge replaces its inputs at once.
    let merged = Months::from([((1, 1), vec![4]), ((1, 2), vec![3])]);
    let third = bring(&store, &merged, 7).await.unwrap();
    assert_eq!((third.commits, third.uploaded.0, third.added, third.removed), (1, 1, 1, 2));
    let table = Table::open(Place::of(store, "lake"), options("node")).await.unwrap();
    assert_eq!(table.position(), Some(7));
    assert_eq!(table.contents().files, 2);
}

#[tokio::test]
async fn damage_of_one_month_keeps_back_that_month_only() {
    let store = FaultyStore::new();
    let months = Months::from([((1, 1), vec![1]), ((1, 2), vec![2])]);
    bring(&store, &months, 1).await.unwrap();
    let months = Months::from([((1, 1), vec![3]), ((1, 2), vec![4])]);
    let mut state = state(&months, 2);
    state.months[0].pieces = Err("damaged".to_owned());
    let mut table = Table::open(Place::of(store, "lake"), options("node")).await.unwrap();
    let brought = table.bring(&state, &CancellationToken::new(), &mut |_| {}).await.unwrap();
    assert_eq!(brought.waiting, ["tenant=1/month=2026-01: damaged"]);
    let names: Vec<_> =
        table.snapshot.files.keys().map(|path| path.rsplit_once('-').unwrap().1).collect();
    assert_eq!(names, ["0001.parquet", "0004.parquet"]);
}

#[tokio::test]
async fn of_two_processes_of_one_node_the_older_ends() {
    let store = FaultyStore::new();
    let open = || Table::open(Place::of(store.clone(), "lake"), options("node"));
    let (mut old, stop) = (open().await.unwrap(), CancellationToken::new());
    let months = |file| Months::from([((1, 1), vec![file])]);
    old.bring(&state(&months(1), 1), &stop, &mut |_| {}).await.unwrap();
    let mut new = open().await.unwrap();
    new.bring(&state(&months(2), 2), &stop, &mut |_| {}).await.unwrap();
    let refused = old.bring(&state(&months(3), 3), &stop, &mut |_| {}).await;
    assert!(matches!(refused, Err(LakeError::Fenced)));
    new.bring(&state(&months(4), 4), &stop, &mut |_| {}).await.unwrap();
}

#[tokio::test]
async fn two_nodes_do_not_share_a_table() {
    let store = FaultyStore::new();
    let open = |node: &'static str| Table::open(Place::of(store.clone(), "lake"), options(node));
    let (mut one, stop) = (open("one").await.unwrap(), CancellationToken::new());
    let mut other = open("other").await.unwrap();
    let months = Months::from([((1, 1), vec![1])]);
    // Both begin with an empty place: one of them has it.
    one.bring(&state(&months, 1), &stop, &mut |_| {}).await.unwrap();
    let refused = other.bring(&state(&months, 1), &stop, &mut |_| {}).await;
    assert!(matches!(refused, Err(LakeError::Foreign { .. })));
    assert!(matches!(open("other").await, Err(LakeError::Foreign { .. })));
}

#[tokio::test]
async fn replaced_files_stay_for_their_readers_and_then_go() {
    let store = FaultyStore::new();
    let stop = CancellationToken::new();
    let months = |files: &[u64]| Months::from([((1, 1), files.to_vec())]);
    let mut table = Table::open(Place::of(store.clone(), "lake"), options("node")).await.unwrap();
    table.bring(&state(&months(&[1, 2]), 1), &stop, &mut |_| {}).await.unwrap();
    table.bring(&state(&months(&[3]), 2), &stop, &mut |_| {}).await.unwrap();
    // An orphan of a crash, and a file of somebody else.
    for path in ["lake/tenant=1/month=2026-01/block-0009.parquet", "lake/tenant=1/notes.txt"] {
        store.inner.put(&Path::from(path), PutPayload::from_static(b"x")).await.unwrap();
    }
    assert_eq!(table.vacuum().await.unwrap(), 0);
    // Two hours later.
    let later = TableOptions {
        now: || {
            let now = Timestamp::from_system(std::time::SystemTime::now());
            Timestamp::from_nanos(now.nanos() + 7_200_000_000_000)
        },
        ..options("node")
    };
    let mut table = Table::open(Place::of(store.clone(), "lake"), later).await.unwrap();
    assert_eq!(table.vacuum().await.unwrap(), 3);
    assert_eq!(table.vacuum().await.unwrap(), 0);
    let left = store.inner.list(Some(&Path::from("lake/tenant=1"))).collect::<Vec<_>>().await;
    assert_eq!(left.len(), 2);
    assert_eq!(table.contents().files, 1);
}

#[tokio::test]
async fn a_store_that_replaces_what_is_there_is_refused() {
    /// A store that knows no conditions.
    #[derive(Debug)]
    struct Careless(InMemory);
    impl std::fmt::Display for Careless {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Careless")
        }
    }
    #[async_trait::async_trait]
    impl ObjectStore for Careless {
        async fn put_opts(
            &self,
            at: &Path,
            bytes: PutPayload,
            _: PutOptions,
        ) -> StoreResult<PutResult> {
            self.0.put_opts(at, bytes, PutOptions::default()).await
        }
        async fn put_multipart_opts(
            &self,
            at: &Path,
            options: PutMultipartOptions,
        ) -> StoreResult<Box<dyn MultipartUpload>> {
            self.0.put_multipart_opts(at, options).await
        }
        async fn get_opts(&self, at: &Path, options: GetOptions) -> StoreResult<GetResult> {
            self.0.get_opts(at, options).await
        }
        fn delete_stream(
            &self,
            paths: BoxStream<'static, StoreResult<Path>>,
        ) -> BoxStream<'static, StoreResult<Path>> {
            self.0.delete_stream(paths)
        }
        fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
            self.0.list(prefix)
        }
        async fn list_with_delimiter(&self, prefix: Option<&Path>) -> StoreResult<ListResult> {
            self.0.list_with_delimiter(prefix).await
        }
        async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> StoreResult<()> {
            self.0.copy_opts(from, to, options).await
        }
    }
    let place = Place::of(Arc::new(Careless(InMemory::new())), "lake");
    assert!(matches!(Table::open(place, options("node")).await, Err(LakeError::NotAtomic)));
}

#[tokio::test]
async fn a_folder_is_a_place_too() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("file://{}/lake", dir.path().display());
    let settings = crate::PlaceSettings { url, ..Default::default() };
    let months = Months::from([((1, 1), vec![1, 2, 3])]);
    for at in 0..12 {
        let mut table =
            Table::open(Place::open(&settings).unwrap(), options("node")).await.unwrap();
        let mut months = months.clone();
        months.insert((1, 2), vec![at + 10]);
        table.bring(&state(&months, at), &CancellationToken::new(), &mut |_| {}).await.unwrap();
        assert_eq!(table.contents().files, 4);
    }
    assert!(dir.path().join("lake/tenant=1/month=2026-01/block-0001.parquet").is_file());
    assert!(dir.path().join("lake/_delta_log/_last_checkpoint").is_file());
}

#[tokio::test]
async fn what_may_no_longer_leave_is_neither_uploaded_nor_committed() {
    // Asked before the file leaves, and before the commit.
    for asked_until in 0..2 {
        let store = FaultyStore::new();
        let months = Months::from([((1, 1), vec![1])]);
        let asked = std::sync::atomic::AtomicUsize::new(0);
        let mut state = state(&months, 1);
        state.still = Arc::new(move || {
            let asked = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if asked < asked_until { Ok(()) } else { Err("graded higher".to_owned()) }
        });
        let place = Place::of(store.clone(), "lake");
        let mut table = Table::open(place, options("node")).await.unwrap();
        let refused = table.bring(&state, &CancellationToken::new(), &mut |_| {}).await;
        assert!(matches!(refused, Err(LakeError::Withheld(why)) if why == "graded higher"));
        assert_eq!(table.contents().version, None);
        let place = Place::of(store.clone(), "lake");
        let table = Table::open(place, options("node")).await.unwrap();
        assert_eq!(table.contents().version, None);
    }
}
