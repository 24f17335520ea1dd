//! Promise 8: listings and their cookies.

use super::failure::{Outcome, ensure, ensure_eq};
use super::session::{Listed, ROOT, Session};
use fs9_sdk::{MAX_COOKIE, NodeId};
use std::collections::{BTreeSet, HashMap};

/// Enough for more than one buffer of a provider that reads its backing in blocks.
const MANY: usize = 2_500;

fn name(number: usize) -> Vec<u8> {
    format!("entry-{number:05}").into_bytes()
}

/// Makes a directory with `count` files.
fn filled(s: &Session<'_>, count: usize) -> fs9_sdk::Result<NodeId> {
    let dir = s.dir(ROOT, "filled")?.node;
    for number in 0..count {
        let made = s.mknod(dir, name(number), fs9_sdk::FileType::Regular, 0o644)?;
        s.provider.forget(made.node, 1);
    }
    Ok(dir)
}

fn names(listed: &[Listed]) -> Vec<Vec<u8>> {
    listed.iter().map(|entry| entry.name.clone()).collect()
}

pub(super) fn every_entry_is_listed_exactly_once(s: &Session<'_>) -> Outcome {
    let node = filled(s, MANY)?;
    for room in [usize::MAX, 1, 7, 100] {
        let dir = s.opendir(node)?;
        let mut listed = names(&s.pages(dir, 0, room)?);
        s.provider.releasedir(dir);
        listed.sort();
        let expected: Vec<_> = (0..MANY).map(name).collect();
        ensure!(listed == expected, "{} of {MANY} entries in pages of {room}, or some twice", listed.len());
    }
    Ok(())
}

pub(super) fn cookies_are_unique_and_within_bounds(s: &Session<'_>) -> Outcome {
    s.sample()?;
    let node = if s.profile.has(crate::Features::WRITE) { filled(s, 200)? } else { ROOT };
    let listed = s.list(node)?;
    let cookies: BTreeSet<u64> = listed.iter().map(|entry| entry.cookie).collect();
    ensure_eq!(cookies.len(), listed.len(), "distinct cookies");
    for cookie in cookies {
        ensure!((1..=MAX_COOKIE).contains(&cookie), "the cookie {cookie} is out of bounds");
    }
    Ok(())
}

pub(super) fn a_listing_resumes_at_any_cookie(s: &Session<'_>) -> Outcome {
    s.sample()?;
    let node = if s.profile.has(crate::Features::WRITE) { filled(s, 150)? } else { ROOT };
    let dir = s.opendir(node)?;
    let all = s.pages(dir, 0, usize::MAX)?;
    // Backwards as well as forwards: telldir(3) positions may be sought in any order.
    for (index, entry) in all.iter().enumerate().rev().chain(all.iter().enumerate()) {
        let rest = names(&s.pages(dir, entry.cookie, 64)?);
        ensure_eq!(rest, names(&all[index + 1..]), "entries after entry {index}");
    }
    s.provider.releasedir(dir);
    Ok(())
}

pub(super) fn cookie_zero_reads_afresh(s: &Session<'_>) -> Outcome {
    let node = filled(s, 10)?;
    let dir = s.opendir(node)?;
    s.pages(dir, 0, usize::MAX)?;
    s.file(node, "later", "")?;
    s.unlink(node, name(3))?;
    let mut listed = names(&s.pages(dir, 0, usize::MAX)?);
    s.provider.releasedir(dir);
    listed.sort();
    let mut expected: Vec<_> = (0..10).filter(|&number| number != 3).map(name).collect();
    expected.push(b"later".to_vec());
    ensure_eq!(listed, expected, "names after rewinding");
    Ok(())
}

pub(super) fn unchanged_entries_are_listed_once_while_others_change(s: &Session<'_>) -> Outcome {
    let node = filled(s, 300)?;
    let dir = s.opendir(node)?;
    let (mut seen, mut cookie, mut round) = (HashMap::<Vec<u8>, usize>::new(), 0, 0);
    loop {
        let page = s.page(dir, cookie, 10, false)?;
        let Some(last) = page.last() else { break };
        cookie = last.cookie;
        for entry in page {
            *seen.entry(entry.name).or_default() += 1;
        }
        // Odd numbers go, new names come and one is renamed; even numbers stay.
        let odd = 2 * round + 1;
        if odd < 300 {
            s.unlink(node, name(odd))?;
            s.file(node, format!("new-{round}"), "")?;
            let renamed = format!("renamed-{round}").into_bytes();
            let new = format!("new-{round}").into_bytes();
            s.rename((node, &new), (node, &renamed), fs9_sdk::RenameFlags::empty())?;
        }
        round += 1;
        ensure!(round < 10_000, "the listing does not end");
    }
    s.provider.releasedir(dir);
    for number in (0..300).step_by(2) {
        let times = seen.get(&name(number)).copied().unwrap_or(0);
        ensure_eq!(times, 1, "times that the unchanged entry {number} was listed");
    }
    Ok(())
}

pub(super) fn a_directory_can_be_emptied_while_it_is_listed(s: &Session<'_>) -> Outcome {
    let node = filled(s, 500)?;
    let dir = s.opendir(node)?;
    let mut cookie = 0;
    loop {
        let page = s.page(dir, cookie, 13, false)?;
        let Some(last) = page.last() else { break };
        cookie = last.cookie;
        for entry in &page {
            s.unlink(node, &entry.name)?;
        }
    }
    s.provider.releasedir(dir);
    ensure_eq!(s.names(node)?, Vec::<Vec<u8>>::new(), "names left after one pass");
    s.rmdir(ROOT, "filled")?;
    Ok(())
}

pub(super) fn a_cookie_is_not_reused_for_another_name(s: &Session<'_>) -> Outcome {
    let node = filled(s, 20)?;
    let dir = s.opendir(node)?;
    let mut owners = HashMap::<u64, Vec<u8>>::new();
    for round in 0..20 {
        for entry in s.pages(dir, 0, 6)? {
            if let Some(owner) = owners.insert(entry.cookie, entry.name.clone()) {
                ensure_eq!(owner, entry.name, "names that had the cookie {}", entry.cookie);
            }
        }
        s.unlink(node, name(round))?;
        s.file(node, format!("again-{round}"), "")?;
    }
    s.provider.releasedir(dir);
    Ok(())
}

pub(super) fn a_full_sink_loses_nothing(s: &Session<'_>) -> Outcome {
    s.sample()?;
    let node = if s.profile.has(crate::Features::WRITE) { filled(s, 5)? } else { ROOT };
    let dir = s.opendir(node)?;
    for attributes in [false, true] {
        ensure_eq!(s.page(dir, 0, 0, attributes)?.len(), 0, "entries in a page without room");
    }
    let all = s.pages(dir, 0, usize::MAX)?;
    ensure!(!all.is_empty(), "nothing is listed after a page without room");
    ensure_eq!(names(&s.pages(dir, 0, 1)?), names(&all), "names one by one");
    s.provider.releasedir(dir);
    Ok(())
}

pub(super) fn entries_that_a_full_sink_refused_are_not_known(s: &Session<'_>) -> Outcome {
    let node = filled(s, 3)?;
    let dir = s.opendir(node)?;
    let mut cookie = 0;
    let mut found = Vec::new();
    loop {
        let page = s.page(dir, cookie, 1, true)?;
        let Some(last) = page.last() else { break };
        cookie = last.cookie;
        found.extend(page.into_iter().filter_map(|listed| Some((listed.name, listed.entry?))));
    }
    s.provider.releasedir(dir);
    // Each taken entry counts once: one lookup more and one forget less would leave it known.
    for (name, entry) in found {
        ensure_eq!(s.lookup(node, &name)?.node, entry.node, "node of a listed entry");
        s.provider.forget(entry.node, 1);
        ensure_eq!(s.getattr(entry.node)?.id, entry.attr.id, "id with the lookup of the listing left");
        s.provider.forget(entry.node, 1);
    }
    Ok(())
}

pub(super) fn two_listings_of_one_directory_do_not_disturb_each_other(s: &Session<'_>) -> Outcome {
    let node = filled(s, 50)?;
    let (one, two) = (s.opendir(node)?, s.opendir(node)?);
    let (mut listed, mut cookies) = ([Vec::new(), Vec::new()], [0, 0]);
    for turn in 0..60 {
        for (index, dir, room) in [(0, one, 1 + turn % 3), (1, two, 4)] {
            let page = s.page(dir, cookies[index], room, false)?;
            cookies[index] = page.last().map_or(cookies[index], |last| last.cookie);
            listed[index].extend(names(&page));
        }
    }
    s.provider.releasedir(one);
    s.provider.releasedir(two);
    for mut names in listed {
        names.sort();
        ensure_eq!(names, (0..50).map(name).collect::<Vec<_>>(), "names of one of two listings");
    }
    Ok(())
}

pub(super) fn an_open_listing_outlives_its_directory(s: &Session<'_>) -> Outcome {
    let entry = s.dir(ROOT, "d")?;
    let dir = s.opendir(entry.node)?;
    s.rmdir(ROOT, "d")?;
    // Linux answers ENOENT to getdents of a removed directory; an empty listing is as good.
    if let Ok(page) = s.page(dir, 0, usize::MAX, false) {
        ensure_eq!(names(&page), Vec::<Vec<u8>>::new(), "names in a removed directory");
    }
    s.provider.releasedir(dir);
    Ok(())
}
