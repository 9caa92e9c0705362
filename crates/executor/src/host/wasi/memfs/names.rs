//! Names that come, go and move: folders, links, renaming and removing.

use super::{
    Errno, Fault, Ino, Kind, MemFs, STEP,
    path::{Last, Links, Walk, check_target},
};

impl MemFs {
    /// Makes a directory.
    pub fn create_directory(&mut self, base: Ino, path: &str) -> Result<(), Fault> {
        let walk = self.walk(base, path, Links::Keep)?;
        self.may_create_directory(&walk)?;
        if let Last::Name(name) = &walk.last {
            let ino = self.add_directory(walk.dir, name);
            self.put_name(walk.dir, name, ino);
        }
        Ok(())
    }

    /// Makes a symbolic link.
    pub fn symlink(&mut self, target: &str, base: Ino, path: &str) -> Result<(), Fault> {
        check_target(target)?;
        let walk = self.walk(base, path, Links::Keep)?;
        self.may_create(&walk)?;
        if let Last::Name(name) = &walk.last {
            self.budget.spend_room(target.len() as u64)?;
            let ino = self.add(Kind::Link(target.to_owned()));
            self.put_name(walk.dir, name, ino);
        }
        Ok(())
    }

    /// The target of a symbolic link.
    pub fn readlink(&mut self, base: Ino, path: &str) -> Result<String, Fault> {
        let ino = self.lookup(base, path, Links::FollowBeforeSlash)?;
        match &self.node(ino).kind {
            Kind::Link(target) => Ok(target.clone()),
            _ => Err(Errno::Invalid.into()),
        }
    }

    /// Gives a file, or a symbolic link, one name more. Its bytes count once for each.
    pub fn link(
        &mut self,
        base: Ino,
        path: &str,
        links: Links,
        new_base: Ino,
        new_path: &str,
    ) -> Result<(), Fault> {
        let ino = self.lookup(base, path, links)?;
        let walk = self.walk(new_base, new_path, Links::Keep)?;
        self.may_create(&walk)?;
        let node = self.node(ino);
        if !node.writable {
            return Err(Errno::CrossDevice.into());
        }
        let bytes = match &node.kind {
            Kind::Directory(_) => return Err(Errno::NotPermitted.into()),
            Kind::File(content) => content.len(),
            Kind::Link(target) => target.len() as u64,
        };
        self.budget.spend_room(bytes)?;
        if let Last::Name(name) = &walk.last {
            self.node_mut(ino).links += 1;
            self.put_name(walk.dir, name, ino);
        }
        Ok(())
    }

    /// Takes away the name of something that is no directory. What is open stays usable.
    pub fn unlink(&mut self, base: Ino, path: &str) -> Result<(), Fault> {
        let walk = self.walk(base, path, Links::Keep)?;
        let Last::Name(name) = &walk.last else {
            return Err(Errno::IsDirectory.into());
        };
        self.may_change(walk.dir)?;
        let ino = walk.found.ok_or(Errno::NoEntry)?;
        match self.node(ino).kind {
            Kind::Directory(_) => return Err(Errno::IsDirectory.into()),
            _ if walk.slash => return Err(Errno::NotDirectory.into()),
            _ => self.take_name(walk.dir, name),
        }
        Ok(())
    }

    /// Removes an empty directory.
    pub fn remove_directory(&mut self, base: Ino, path: &str) -> Result<(), Fault> {
        let walk = self.walk(base, path, Links::Keep)?;
        let name = match &walk.last {
            Last::Name(name) => name,
            Last::Dot => return Err(Errno::Invalid.into()),
            Last::DotDot => return Err(Errno::NotEmpty.into()),
        };
        self.may_change(walk.dir)?;
        let directory = self.directory(walk.found.ok_or(Errno::NoEntry)?)?;
        if directory.fixed {
            return Err(Errno::Busy.into());
        }
        if !directory.entries.is_empty() {
            return Err(Errno::NotEmpty.into());
        }
        self.take_name(walk.dir, name);
        Ok(())
    }

    /// Moves an object to another name, in the place of what had that name.
    pub fn rename(
        &mut self,
        base: Ino,
        path: &str,
        new_base: Ino,
        new_path: &str,
    ) -> Result<(), Fault> {
        let from = self.walk(base, path, Links::Keep)?;
        let to = self.walk(new_base, new_path, Links::Keep)?;
        let (Last::Name(old), Last::Name(new)) = (&from.last, &to.last) else {
            return Err(Errno::Busy.into());
        };
        if self.node(from.dir).writable != self.node(to.dir).writable {
            return Err(Errno::CrossDevice.into());
        }
        self.may_change(from.dir)?;
        let ino = from.found.ok_or(Errno::NoEntry)?;
        self.may_move(ino, &from, &to)?;
        if to.found == Some(ino) {
            return Ok(());
        }
        let below = self.longest_below(ino)?;
        self.check_place(to.dir, new.len() + below)?;
        if to.found.is_some() {
            self.take_name(to.dir, new);
        }
        // The old name goes without the object: it is not removed, it has another one.
        self.entries_mut(from.dir).remove(old);
        self.entries_mut(to.dir).insert(new.clone(), ino);
        if let Kind::Directory(directory) = &mut self.node_mut(ino).kind {
            directory.parent = to.dir;
            directory.name.clone_from(new);
        }
        Ok(())
    }

    /// Whether `ino`, found by `from`, may take the place `to`.
    fn may_move(&mut self, ino: Ino, from: &Walk, to: &Walk) -> Result<(), Fault> {
        let folder = self.node(ino).directory().is_some();
        if !folder && (from.slash || to.slash) {
            return Err(Errno::NotDirectory.into());
        }
        // A directory that was removed is in no other one any more.
        if self.node(to.dir).links == 0 {
            return Err(Errno::NoEntry.into());
        }
        if self.is_within(to.dir, ino)? {
            return Err(Errno::Invalid.into());
        }
        if let Some(target) = to.found {
            if self.is_within(from.dir, target)? {
                return Err(Errno::NotEmpty.into());
            }
            self.may_replace(ino, target)?;
        }
        match self.node(ino).directory() {
            Some(directory) if directory.fixed => Err(Errno::Busy.into()),
            _ => Ok(()),
        }
    }

    fn may_replace(&self, ino: Ino, target: Ino) -> Result<(), Errno> {
        let folder = self.node(ino).directory().is_some();
        match self.node(target).directory() {
            _ if ino == target => Ok(()),
            None if folder => Err(Errno::NotDirectory),
            None => Ok(()),
            Some(_) if !folder => Err(Errno::IsDirectory),
            Some(directory) if directory.fixed => Err(Errno::Busy),
            Some(directory) if !directory.entries.is_empty() => Err(Errno::NotEmpty),
            Some(_) => Ok(()),
        }
    }

    /// Whether names in `dir` may change at all.
    fn may_change(&self, dir: Ino) -> Result<(), Errno> {
        if self.node(dir).writable {
            return Ok(());
        }
        Err(Errno::ReadOnly)
    }

    /// Whether the directory `dir` is `ancestor` or below it.
    fn is_within(&mut self, dir: Ino, ancestor: Ino) -> Result<bool, Fault> {
        let mut at = dir;
        while at != ancestor {
            if at == super::ROOT {
                return Ok(false);
            }
            self.budget.spend_work(STEP)?;
            at = self.directory(at)?.parent;
        }
        Ok(true)
    }

    /// Bytes of the longest path below `ino`, with the slash before it.
    fn longest_below(&mut self, ino: Ino) -> Result<usize, Fault> {
        let mut longest = 0;
        let mut folders = vec![(0, ino)];
        while let Some((len, folder)) = folders.pop() {
            let Some(directory) = self.node(folder).directory() else {
                continue;
            };
            self.budget
                .spend_work(STEP * directory.entries.len() as u64)?;
            let directory = self.directory(folder)?;
            for (name, &entry) in &directory.entries {
                let len = len + 1 + name.len();
                longest = longest.max(len);
                if self.node(entry).directory().is_some() {
                    folders.push((len, entry));
                }
            }
        }
        Ok(longest)
    }

    pub(super) fn put_name(&mut self, dir: Ino, name: &str, ino: Ino) {
        self.entries_mut(dir).insert(name.to_owned(), ino);
        self.names += 1;
    }

    /// Takes a name away, and what has neither name nor handle then.
    fn take_name(&mut self, dir: Ino, name: &str) {
        let Some(ino) = self.entries_mut(dir).remove(name) else {
            return;
        };
        self.names -= 1;
        let bytes = match &self.node(ino).kind {
            Kind::File(content) => content.len(),
            Kind::Link(target) => target.len() as u64,
            Kind::Directory(_) => 0,
        };
        let node = self.node_mut(ino);
        node.links -= 1;
        if node.links > 0 {
            self.budget.room += bytes;
        }
        self.reclaim(ino);
    }
}
