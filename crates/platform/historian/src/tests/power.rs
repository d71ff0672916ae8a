//! A disk that loses what was not made durable, as a power cut does.
//!
//! What the historian does goes into a real folder, which is what a running process sees. Beside it
//! stands what a power cut would leave: a file's bytes as of its last `sync`, and the names of a
//! folder as of its last `sync_dir`. What was done since is kept in order, and at a cut some of it is
//! durable and some is not:
//!
//! - of writes that were not synced none, all, the first or any of their sectors, each whole;
//! - of names (creating, renaming, removing) that were not synced the first so many, as a file system
//!   with a journal has it, or any, as POSIX allows; a rename happens as a whole or not at all;
//! - what was synced stays. A `sync` that fails leaves it open which sectors are durable, and no later
//!   one makes up for it, as Linux has it.
//!
//! Reads are not simulated: they see the real folder.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::dice::Dice;
use crate::disk::{Disk, DiskFile};

/// Bytes that are written whole or not at all.
const SECTOR: usize = 512;

/// What the disk does at some call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Everything ends at this call: the process or the power. No call succeeds after it.
    End { at: u64 },
    /// From one call to another, there is no space.
    Full { from: u64, to: u64 },
    /// From one call to another, nothing works.
    Fails { from: u64, to: u64 },
}

/// A name is that of a file or a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    File(u64),
    Folder,
}

#[derive(Debug, Clone)]
enum Write {
    At(u64, Vec<u8>),
    Length(u64),
}

#[derive(Debug, Default)]
struct Inode {
    /// What a power cut leaves at least.
    durable: Vec<u8>,
    /// What was done since.
    writes: Vec<Write>,
}

/// A change of names that happens as a whole.
#[derive(Debug, Clone)]
struct Change(Vec<(PathBuf, Option<Node>)>);

impl Change {
    fn is_of(&self, folder: &Path) -> bool {
        self.0.iter().any(|(path, _)| path.parent() == Some(folder))
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, Node>) {
        for (path, node) in &self.0 {
            match node {
                Some(node) => names.insert(path.clone(), *node),
                None => names.remove(path),
            };
        }
    }
}

struct State {
    root: PathBuf,
    dice: Dice,
    inodes: HashMap<u64, Inode>,
    next_inode: u64,
    names: BTreeMap<PathBuf, Node>,
    durable_names: BTreeMap<PathBuf, Node>,
    changes: Vec<Change>,
    calls: u64,
    fault: Option<Fault>,
    ended: bool,
    /// Tells that there is no space, and takes what is written all the same.
    tells_full: bool,
    /// What was asked for, for whoever looks into a failure.
    trace: Vec<String>,
}

/// The disk. Clones are the same disk.
#[derive(Clone)]
pub(super) struct PowerDisk(Arc<Mutex<State>>);

/// Whether a call is made.
enum Call {
    Made,
    /// Made, and the last one.
    Last,
    Refused(io::Error),
}

fn ended() -> io::Error {
    io::Error::other("the power is off")
}

impl PowerDisk {
    /// A disk over a folder whose content is durable.
    pub(super) fn over(root: &Path, seed: u64) -> Self {
        let mut state = State {
            root: root.to_owned(),
            dice: Dice::new(seed),
            inodes: HashMap::new(),
            next_inode: 0,
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            changes: Vec::new(),
            calls: 0,
            fault: None,
            ended: false,
            tells_full: false,
            trace: Vec::new(),
        };
        state.scan(root);
        state.durable_names = state.names.clone();
        Self(Arc::new(Mutex::new(state)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was asked for since it was asked last.
    pub(super) fn trace(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().trace)
    }

    /// How many calls were made.
    pub(super) fn calls(&self) -> u64 {
        self.lock().calls
    }

    /// Whether a fault has ended everything.
    pub(super) fn is_over(&self) -> bool {
        self.lock().ended
    }

    /// What happens, in place of what was to happen.
    pub(super) fn plan(&self, fault: Option<Fault>) {
        self.lock().fault = fault;
    }

    /// Has it tell that it is full, or not.
    pub(super) fn tell_full(&self, full: bool) {
        self.lock().tells_full = full;
    }

    /// Ends everything now.
    pub(super) fn end(&self) {
        self.lock().ended = true;
    }

    /// The process starts again on the same folder: the operating system has kept what was not synced.
    pub(super) fn revive(&self) {
        let mut state = self.lock();
        (state.ended, state.fault) = (false, None);
    }

    /// Writes what a power cut leaves into another, empty folder.
    pub(super) fn leave(&self, to: &Path) {
        self.lock().leave(to);
    }
}

impl State {
    fn scan(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let node = if path.is_dir() {
                self.scan(&path);
                Node::Folder
            } else {
                let inode = Inode { durable: fs::read(&path).unwrap(), writes: Vec::new() };
                self.add(inode)
            };
            self.names.insert(path, node);
        }
    }

    fn add(&mut self, inode: Inode) -> Node {
        self.next_inode += 1;
        self.inodes.insert(self.next_inode, inode);
        Node::File(self.next_inode)
    }

    /// Counts a call; `takes_space` is what a full disk refuses.
    fn call(&mut self, takes_space: bool, what: &str, on: &Path) -> Call {
        if self.ended {
            return Call::Refused(ended());
        }
        self.calls += 1;
        let call = self.decide(takes_space);
        let on = on.strip_prefix(&self.root).unwrap_or(on).display();
        let told = match &call {
            Call::Made => "",
            Call::Last => ", and the end",
            Call::Refused(_) => ", refused",
        };
        self.trace.push(format!("  {} {what} {on}{told}", self.calls));
        call
    }

    fn decide(&mut self, takes_space: bool) -> Call {
        match self.fault {
            Some(Fault::End { at }) if self.calls >= at => {
                self.ended = true;
                if self.dice.once_in(2) { Call::Last } else { Call::Refused(ended()) }
            }
            Some(Fault::Full { from, to }) if takes_space && (from..to).contains(&self.calls) => {
                Call::Refused(io::ErrorKind::StorageFull.into())
            }
            Some(Fault::Fails { from, to }) if (from..to).contains(&self.calls) => {
                Call::Refused(io::Error::other("the disk does not answer"))
            }
            _ => Call::Made,
        }
    }

    fn change(&mut self, sets: Vec<(PathBuf, Option<Node>)>) {
        let change = Change(sets);
        change.apply(&mut self.names);
        self.changes.push(change);
    }

    fn file(&self, path: &Path) -> Option<u64> {
        match self.names.get(path) {
            Some(Node::File(inode)) => Some(*inode),
            _ => None,
        }
    }

    fn write(&mut self, inode: u64, write: Write) {
        self.inodes.entry(inode).or_default().writes.push(write);
    }

    fn sync(&mut self, inode: u64) {
        let inode = self.inodes.entry(inode).or_default();
        for write in std::mem::take(&mut inode.writes) {
            apply(&write, &mut inode.durable);
        }
    }

    /// Some of what was not synced is durable, and nobody can say what.
    fn settle(&mut self, inode: u64) {
        let inode = self.inodes.entry(inode).or_default();
        let writes = std::mem::take(&mut inode.writes);
        inode.durable = remains(&mut self.dice, &inode.durable, &writes);
    }

    fn leave(&mut self, to: &Path) {
        let mut names = self.durable_names.clone();
        let in_order = self.dice.once_in(2);
        let kept = self.dice.below(self.changes.len() + 1);
        for (place, change) in self.changes.iter().enumerate() {
            if if in_order { place < kept } else { self.dice.once_in(2) } {
                change.apply(&mut names);
            }
        }
        // Names come after those of their folders.
        for (path, node) in &names {
            let to = to.join(path.strip_prefix(&self.root).unwrap());
            if !to.parent().unwrap().is_dir() {
                continue;
            }
            match node {
                Node::Folder => fs::create_dir(&to).unwrap(),
                Node::File(inode) => {
                    let inode = &self.inodes[inode];
                    let bytes = remains(&mut self.dice, &inode.durable, &inode.writes);
                    fs::write(&to, bytes).unwrap();
                }
            }
        }
    }
}

fn apply(write: &Write, bytes: &mut Vec<u8>) {
    match write {
        Write::Length(length) => bytes.resize(*length as usize, 0),
        Write::At(offset, written) => {
            let end = *offset as usize + written.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*offset as usize..end].copy_from_slice(written);
        }
    }
}

/// What a power cut leaves of a file: how much of what was not synced is there is thrown.
fn remains(dice: &mut Dice, durable: &[u8], writes: &[Write]) -> Vec<u8> {
    let mut bytes = durable.to_vec();
    // None, all, those before some sector, or any.
    let (way, mut left) = (dice.below(4), dice.below(64));
    for write in writes {
        match write {
            _ if way == 0 => {}
            Write::Length(_) => {
                if way == 1 || dice.once_in(2) {
                    apply(write, &mut bytes);
                }
            }
            Write::At(offset, written) => {
                let mut from = 0;
                while from < written.len() {
                    // Sectors lie where the file has them, not where a write begins.
                    let in_sector = SECTOR - (*offset as usize + from) % SECTOR;
                    let to = written.len().min(from + in_sector);
                    let there = match way {
                        1 => true,
                        2 => left > 0,
                        _ => dice.once_in(2),
                    };
                    left = left.saturating_sub(1);
                    if there {
                        let part = Write::At(offset + from as u64, written[from..to].to_vec());
                        apply(&part, &mut bytes);
                    }
                    from = to;
                }
            }
        }
    }
    bytes
}

impl Disk for PowerDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.lock();
        let call = state.call(true, "create", path);
        if let Call::Refused(error) = call {
            return Err(error);
        }
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
        let inode = match state.file(path) {
            Some(inode) => {
                state.write(inode, Write::Length(0));
                inode
            }
            None => {
                let node = state.add(Inode::default());
                state.change(vec![(path.to_owned(), Some(node))]);
                state.next_inode
            }
        };
        drop(state);
        let path = path.to_owned();
        done(call).map(|()| {
            Box::new(PowerFile { disk: self.clone(), path, inode, file }) as Box<dyn DiskFile>
        })
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.lock();
        let call = state.call(false, "open", path);
        if let Call::Refused(error) = call {
            return Err(error);
        }
        let file = OpenOptions::new().write(true).open(path)?;
        let inode = state.file(path).expect("what is opened was created");
        drop(state);
        let path = path.to_owned();
        done(call).map(|()| {
            Box::new(PowerFile { disk: self.clone(), path, inode, file }) as Box<dyn DiskFile>
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.lock();
        let call = state.call(true, "rename to", to);
        if let Call::Refused(error) = call {
            return Err(error);
        }
        fs::rename(from, to)?;
        let node = state.names.get(from).copied();
        state.change(vec![(from.to_owned(), None), (to.to_owned(), node)]);
        done(call)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        let call = state.call(false, "remove", path);
        if let Call::Refused(error) = call {
            return Err(error);
        }
        fs::remove_file(path)?;
        state.change(vec![(path.to_owned(), None)]);
        done(call)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        let call = state.call(true, "create folder", path);
        if let Call::Refused(error) = call {
            return Err(error);
        }
        fs::create_dir(path)?;
        state.change(vec![(path.to_owned(), Some(Node::Folder))]);
        done(call)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        let call = state.call(false, "sync folder", path);
        if let Call::Refused(error) = call {
            return Err(error);
        }
        let State { changes, durable_names, .. } = &mut *state;
        changes.retain(|change| {
            let synced = change.is_of(path);
            if synced {
                change.apply(durable_names);
            }
            !synced
        });
        done(call)
    }

    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        Ok(if self.lock().tells_full { 0 } else { u64::MAX })
    }
}

/// Of a last call nobody hears that it was made.
fn done(call: Call) -> io::Result<()> {
    match call {
        Call::Made => Ok(()),
        _ => Err(ended()),
    }
}

struct PowerFile {
    disk: PowerDisk,
    path: PathBuf,
    inode: u64,
    file: fs::File,
}

impl DiskFile for PowerFile {
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.lock();
        let call = state.call(true, "write", &self.path);
        let bytes = match &call {
            Call::Made => bytes,
            // Some of it got out.
            Call::Last | Call::Refused(_) if bytes.is_empty() => bytes,
            Call::Last => &bytes[..state.dice.below(bytes.len() + 1)],
            Call::Refused(_) => &bytes[..bytes.len() / 2],
        };
        let was_over = matches!(&call, Call::Refused(_)) && state.ended;
        if !was_over {
            self.file.write_all_at(bytes, offset)?;
            state.write(self.inode, Write::At(offset, bytes.to_vec()));
        }
        match call {
            Call::Refused(error) => Err(error),
            call => done(call),
        }
    }

    fn set_len(&mut self, length: u64) -> io::Result<()> {
        let mut state = self.disk.lock();
        let call = state.call(false, "cut", &self.path);
        if let Call::Refused(error) = call {
            return Err(error);
        }
        self.file.set_len(length)?;
        state.write(self.inode, Write::Length(length));
        done(call)
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.lock();
        let call = state.call(false, "sync", &self.path);
        if let Call::Refused(error) = call {
            if !state.ended {
                state.settle(self.inode);
            }
            return Err(error);
        }
        state.sync(self.inode);
        done(call)
    }
}
