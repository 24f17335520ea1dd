//! Each case of the contract suite fails on a provider that breaks its promise: a test that cannot fail tests nothing.
//!
//! The provider below the faults keeps every promise (`path_adapter` runs the suite on it without any).

mod faulty;
mod mirror;

use faulty::{Fault, Faulty};
use fs9_sdk::{PathAdapter, Provider};
use fs9_testkit::contract::{Verdict, case_names, judge_case};
use fs9_testkit::{Features, Profile, Subject};
use mirror::Mirror;
use std::collections::BTreeSet;

/// Each fault, and cases that it must break.
const FAULTS: &[(Fault, &[&str])] = &[
    (Fault::RootCanBeForgotten, &["nodes::root_is_always_a_valid_directory"]),
    (
        Fault::AliasesNodes,
        &[
            "nodes::lookup_finds_the_same_node_while_it_is_known",
            "nodes::two_names_of_one_file_are_one_node",
            "rename::a_renamed_file_keeps_node_and_content",
            "rename::rename_replaces_a_file",
            "rename::rename_replaces_an_empty_directory",
            "rename::exchange_swaps_two_names",
            "names::any_bytes_can_be_renamed_to",
        ],
    ),
    (
        Fault::ForgetTakesAll,
        &[
            "nodes::every_returned_entry_counts_as_one_lookup",
            "nodes::a_count_of_several_is_taken_back_at_once",
            "nodes::an_entry_of_link_counts_as_a_lookup",
            "nodes::entries_of_a_listing_count_as_lookups",
            "concurrency::lookups_and_forgets_in_parallel_keep_the_count",
        ],
    ),
    (
        Fault::MadeIsNotCounted,
        &[
            "nodes::entries_of_mkdir_and_mknod_count_as_lookups",
            "nodes::an_entry_of_symlink_counts_as_a_lookup",
        ],
    ),
    (Fault::ListingIsNotCounted, &["listings::entries_that_a_full_sink_refused_are_not_known"]),
    (
        Fault::ForgottenIdsChange,
        &[
            "nodes::a_forgotten_node_is_found_again",
            "identity::an_id_outlives_forget",
            "concurrency::the_last_forget_and_a_new_lookup_do_not_collide",
        ],
    ),
    (Fault::BelowForgottenIsGone, &["nodes::a_directory_may_be_forgotten_before_what_is_in_it"]),
    (Fault::RemovedDirectoriesAreGone, &["nodes::a_removed_directory_stays_a_valid_empty_node"]),
    (
        Fault::UnlinkedIsGone,
        &[
            "nodes::the_node_of_a_name_that_was_made_anew_is_another",
            "unlinked::an_open_file_outlives_its_name",
            "unlinked::an_unlinked_known_node_can_be_opened_and_written",
            "unlinked::a_name_made_anew_leaves_the_unlinked_file_alone",
            "unlinked::an_open_file_in_a_renamed_and_removed_place_stays_usable",
            "unlinked::a_second_handle_survives_the_release_of_the_first",
        ],
    ),
    (Fault::UnnamedAreUnlinked, &["unnamed::an_unnamed_file_can_get_its_first_name"]),
    (
        Fault::UnnamedHaveNames,
        &[
            "unnamed::an_unnamed_file_is_seen_nowhere_and_used_as_any_other",
            "unnamed::exclusive_forbids_a_first_name",
            "unnamed::a_file_whose_first_name_is_gone_gets_no_other",
        ],
    ),
    (Fault::UnlinkHides, &["unlinked::an_unlinked_file_is_seen_nowhere"]),
    (
        Fault::BytesAreNotNames,
        &["names::any_bytes_make_a_file_name", "names::any_bytes_make_a_directory_name"],
    ),
    (Fault::LinkTargetsAreCut, &["names::link_targets_are_returned_byte_for_byte"]),
    (Fault::HandlesHaveOtherIds, &["identity::every_look_at_an_object_gives_one_id"]),
    (Fault::ListedKindIsWrong, &["identity::a_listing_tells_the_id_and_type_of_the_attributes"]),
    (Fault::IdsAreShared, &["identity::objects_that_exist_together_have_different_ids"]),
    (Fault::IdsComeFromNames, &["identity::an_id_outlives_rename", "identity::hard_links_share_their_id"]),
    (Fault::TypesAreWrong, &["identity::the_type_of_an_object_is_told"]),
    (
        Fault::RenameKillsItsTarget,
        &["unlinked::a_file_replaced_by_rename_stays_open", "unlinked::one_of_two_names_can_go"],
    ),
    (
        Fault::DirectoryRenameLosesChildren,
        &[
            "rename::a_renamed_directory_keeps_its_subtree_and_nodes",
            "rename::a_subtree_can_be_moved_again_and_again",
            "hostile::deep_trees_are_answered",
        ],
    ),
    (Fault::RenameOntoItselfRemoves, &["rename::rename_onto_itself_changes_nothing"]),
    (Fault::RenameDropsOneOfTwoNames, &["rename::rename_between_two_names_of_one_file_keeps_both"]),
    (
        Fault::RenameIgnoresFlags,
        &[
            "rename::noreplace_refuses_an_existing_name",
            "rename::exchange_needs_both_names",
            "rename::whiteout_leaves_a_device_at_the_old_name",
            "rename::contradictory_flags_are_refused",
            "rename::flags_that_are_unknown_or_not_supported_are_refused",
        ],
    ),
    (
        Fault::ErrorsAreIo,
        &[
            "rename::exchange_refuses_a_directory_and_its_own_ancestor",
            "rename::a_directory_cannot_move_into_its_own_subtree",
            "rename::rename_of_a_missing_name_is_refused",
            "rename::rename_minds_what_it_replaces",
            "errors::lookup_of_a_missing_name_is_enoent",
            "errors::lookup_in_a_file_is_enotdir",
            "errors::listing_a_file_is_enotdir",
            "errors::readlink_of_a_file_is_einval",
            "errors::making_an_existing_name_is_eexist",
            "errors::symlink_to_an_existing_name_is_eexist",
            "errors::making_something_in_a_removed_directory_is_enoent",
            "errors::making_something_in_a_file_is_enotdir",
            "errors::a_link_target_beyond_the_limit_is_enametoolong",
            "errors::link_errors_are_those_of_the_man_page",
            "errors::unlink_errors_are_those_of_the_man_page",
            "errors::rmdir_errors_are_those_of_the_man_page",
            "errors::a_directory_cannot_be_opened_for_writing",
            "errors::a_handle_does_only_what_it_was_opened_for",
            "errors::what_is_not_implemented_says_so",
            "unnamed::an_unnamed_file_is_made_in_a_directory_only",
            "xattrs::a_missing_attribute_is_enodata",
            "xattrs::a_foreign_namespace_is_eopnotsupp",
            "xattrs::what_is_too_long_is_refused",
            "space::a_reading_handle_allocates_nothing",
            "space::seeking_finds_data_and_the_hole_at_the_end",
            "space::overlapping_ranges_of_one_file_are_einval",
            "space::a_copy_minds_what_its_handles_may",
        ],
    ),
    (Fault::ReadsAreShifted, &["sizes::a_read_gives_what_the_file_holds"]),
    (Fault::ReadsPadWithZeros, &["sizes::a_read_beyond_the_end_gives_nothing"]),
    (Fault::ReadsAreShort, &["sizes::a_read_is_short_only_at_the_end"]),
    (Fault::WritesCut, &["sizes::a_write_in_the_middle_changes_only_its_range"]),
    (Fault::HandlesReadWhatTheyOpened, &["sizes::what_one_handle_writes_another_reads"]),
    (
        Fault::HolesAreDirty,
        &["sizes::a_write_beyond_the_end_leaves_a_hole_of_zeros", "sizes::an_extended_file_ends_in_zeros"],
    ),
    (
        Fault::TruncateIsIgnored,
        &[
            "sizes::cut_data_does_not_come_back",
            "sizes::truncate_works_by_node_and_by_handle",
            "errors::an_impossible_size_is_efbig",
            "hostile::absurd_sizes_are_answered",
        ],
    ),
    (Fault::OpenIgnoresTruncate, &["sizes::open_with_truncate_cuts_the_file"]),
    (Fault::OpenIgnoresAppend, &["sizes::append_writes_go_to_the_end"]),
    (Fault::EmptyWriteExtends, &["sizes::an_empty_write_changes_nothing"]),
    (
        Fault::BlocksAreSize,
        &["sizes::a_sparse_file_takes_little_space", "sizes::space_comes_back_when_a_file_is_cut"],
    ),
    (Fault::BlocksAreOne, &["space::fallocate_can_keep_the_size", "space::a_hole_gives_space_back"]),
    (
        Fault::FsyncFails,
        &[
            "durability::fsync_and_flush_succeed_and_keep_the_data",
            "durability::fsync_of_an_unlinked_file_succeeds",
            "durability::fsync_of_a_directory_succeeds",
        ],
    ),
    (Fault::RestartLosesAll, &["durability::what_was_synced_is_there_after_a_restart"]),
    (Fault::WriteErrorsAreSwallowed, &["durability::a_lost_write_is_reported"]),
    (Fault::CloseOfOneClosesAll, &["durability::an_opendir_that_keeps_nothing_needs_no_release"]),
    (
        Fault::CookiesOffByOne,
        &["listings::every_entry_is_listed_exactly_once", "listings::a_listing_resumes_at_any_cookie"],
    ),
    (Fault::CookiesBeyondBounds, &["listings::cookies_are_unique_and_within_bounds"]),
    (Fault::RewindIsStale, &["listings::cookie_zero_reads_afresh"]),
    (
        Fault::CookiesAreIndices,
        &[
            "listings::unchanged_entries_are_listed_once_while_others_change",
            "listings::a_directory_can_be_emptied_while_it_is_listed",
            "listings::a_cookie_is_not_reused_for_another_name",
            "concurrency::a_listing_during_changes_shows_stable_entries_once",
        ],
    ),
    (
        Fault::FullSinkLosesAnEntry,
        &[
            "listings::a_full_sink_loses_nothing",
            "listings::two_listings_of_one_directory_do_not_disturb_each_other",
        ],
    ),
    (Fault::RemovedDirectoriesListGhosts, &["listings::an_open_listing_outlives_its_directory"]),
    (Fault::CreateCutsWhatExists, &["errors::create_without_exclusive_opens_what_exists"]),
    (Fault::IoctlsSucceed, &["errors::an_unknown_ioctl_is_enotty"]),
    (Fault::StatfsIsNonsense, &["errors::statfs_tells_sizes_that_fit_together"]),
    (Fault::UmaskIsIgnored, &["creation::the_umask_is_taken_from_what_is_made"]),
    (
        Fault::ModesLoseSpecialBits,
        &[
            "creation::special_bits_survive_mkdir_and_mknod",
            "attributes::permissions_of_all_kinds_can_be_set",
        ],
    ),
    (
        Fault::RootOwnsAll,
        &["creation::the_caller_owns_what_it_makes", "unnamed::an_unnamed_file_belongs_to_its_maker"],
    ),
    (Fault::SetgidIsNotInherited, &["creation::a_setgid_directory_gives_its_group"]),
    (Fault::NodKindsAreRegular, &["creation::named_pipes_and_sockets_can_be_made"]),
    (Fault::NumbersOfDevicesAreShort, &["creation::devices_keep_their_number"]),
    (
        Fault::KillIsForgotten,
        &[
            "creation::a_write_strips_privileges_on_request",
            "creation::truncate_strips_privileges_on_request",
            "creation::chown_strips_privileges_on_request",
            "creation::an_open_strips_privileges_on_request_only",
        ],
    ),
    (Fault::KillsUnasked, &["creation::a_write_keeps_privileges_unless_asked"]),
    (
        Fault::ModificationTimeStands,
        &[
            "creation::what_is_made_is_fresh",
            "attributes::writing_and_cutting_renew_the_times_of_a_file",
            "attributes::changing_entries_renews_the_times_of_the_directory",
        ],
    ),
    (Fault::ChmodTouchesMtime, &["attributes::setattr_changes_only_what_is_asked"]),
    (Fault::GroupIsIgnored, &["attributes::owner_and_group_change_separately"]),
    (Fault::TimesInSeconds, &["attributes::times_are_kept_to_the_nanosecond"]),
    (Fault::ChangesAllTimes, &["attributes::one_time_can_be_set_alone"]),
    (Fault::TimesAreIgnored, &["attributes::times_of_links_can_be_set"]),
    (Fault::SizeComesLast, &["attributes::the_order_of_changes_is_owner_permissions_size_times"]),
    (Fault::LinksTouchMtime, &["attributes::changing_the_links_of_a_file_renews_its_change_time"]),
    (Fault::ReadTouchesMtime, &["attributes::reading_leaves_the_modification_time"]),
    (Fault::XattrValuesAreCut, &["xattrs::values_come_back_byte_for_byte"]),
    (Fault::XattrListHasNoEnd, &["xattrs::names_are_listed_each_with_a_nul"]),
    (Fault::XattrFlagsAreIgnored, &["xattrs::create_and_replace_mind_what_exists"]),
    (Fault::RenameLosesXattrs, &["xattrs::attributes_belong_to_the_file_not_its_name"]),
    (Fault::FallocateDoesNothing, &["space::fallocate_extends_and_keeps_the_data"]),
    (Fault::FallocateKeepsNoSize, &["space::fallocate_can_keep_the_size"]),
    (
        Fault::RoundsRanges,
        &[
            "space::punching_a_hole_zeroes_exactly_the_range",
            "space::zeroing_a_range_zeroes_exactly_the_range",
        ],
    ),
    (Fault::FallocateIgnoresUnknownModes, &["space::modes_that_are_not_supported_are_refused"]),
    (Fault::SeeksFindNoHoles, &["space::seeking_finds_holes_in_sparse_files"]),
    (
        Fault::CopyArrivesHalf,
        &["space::a_copied_range_arrives", "space::a_copy_ends_at_the_end_of_the_source"],
    ),
    (Fault::LockWaitsAreDeaf, &["locks::a_cancelled_wait_is_eintr_and_takes_nothing"]),
    (Fault::LockWaitsAreNone, &["locks::a_wait_ends_when_the_lock_is_free"]),
    (
        Fault::LocksAreIgnored,
        &[
            "locks::write_locks_keep_others_out_and_read_locks_are_shared",
            "locks::getlk_tells_the_first_lock_in_the_way",
            "locks::locks_on_whole_files_keep_others_out_and_can_be_changed",
        ],
    ),
    (Fault::LocksAreOfHandles, &["locks::a_lock_belongs_to_its_owner_through_whichever_handle"]),
    (
        Fault::LocksAreOfOneFamily,
        &[
            "locks::the_two_families_do_not_see_each_other",
            "locks::giving_everything_back_ends_the_locks_of_one_owner",
        ],
    ),
    (Fault::LocksAreOfOneFile, &["locks::files_are_locked_one_by_one"]),
    (
        Fault::LocksCoverTheFile,
        &["locks::an_unlock_of_a_part_leaves_the_rest", "locks::an_owner_changes_the_kind_of_its_locks"],
    ),
    (
        Fault::RenameInTwoSteps,
        &[
            "concurrency::a_lookup_during_rename_finds_old_or_new",
            "concurrency::readers_during_rename_see_a_whole_file",
        ],
    ),
    (Fault::ExchangeInThreeSteps, &["concurrency::an_exchange_never_hides_a_name"]),
    (Fault::SometimesCreatesNothing, &["concurrency::parallel_creates_in_one_directory_all_succeed"]),
    (Fault::CreateIsNeverExclusive, &["concurrency::exactly_one_of_many_makes_a_name"]),
    (Fault::MissingIsFineToRemove, &["concurrency::exactly_one_of_many_removes_a_name"]),
    (Fault::SometimesRenameFails, &["concurrency::crossing_directory_renames_make_no_cycle"]),
    (Fault::SometimesWritesNothing, &["concurrency::parallel_writes_to_one_file_all_arrive"]),
    (Fault::RmdirRemovesFull, &["concurrency::creating_in_a_directory_that_is_removed_loses_nothing"]),
    (
        Fault::PanicsOnTheAbsurd,
        &[
            "hostile::absurd_offsets_of_reads_are_answered",
            "hostile::absurd_offsets_of_writes_are_answered",
            "hostile::absurd_ranges_are_answered",
            "hostile::unknown_flags_are_answered",
            "hostile::absurd_attribute_names_are_answered",
            "hostile::unknown_cookies_are_answered",
            "hostile::absurd_modes_and_times_are_answered",
        ],
    ),
];

fn profile() -> Profile {
    let needs_root = Features::OWNERSHIP | Features::DEVICES | Features::PRIVILEGES;
    match rustix::process::geteuid().is_root() {
        true => Profile::full(),
        false => Profile::full().without(needs_root),
    }
}

fn with_fault(fault: Fault) -> Subject {
    let place = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let right = Subject::new(PathAdapter::new(Mirror::new(place.path())));
    let subject = Faulty::subject(right, fault);
    match fault {
        Fault::RestartLosesAll => {
            let empty = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
            let path = empty.path().to_owned();
            let reopen = move || Box::new(PathAdapter::new(Mirror::new(&path))) as Box<dyn Provider>;
            subject.reopened_by(reopen).standing_on((place, empty))
        }
        _ => subject.standing_on(place),
    }
}

/// Faults that are tried at once: most of the time goes into waiting for the disk.
const AT_ONCE: usize = 8;

fn missed(fault: Fault, cases: &[&str]) -> Vec<String> {
    let kept = cases.iter().filter(|case| {
        let verdict = judge_case(case, &profile(), || with_fault(fault));
        verdict.unwrap_or_else(|| panic!("there is no case {case}")) == Verdict::Kept
    });
    kept.map(|case| format!("{fault:?} is not noticed by {case}")).collect()
}

#[test]
fn every_fault_breaks_the_cases_that_look_for_it() {
    let every = |start: usize| FAULTS.iter().skip(start).step_by(AT_ONCE);
    let missed: Vec<String> = std::thread::scope(|scope| {
        let worker = |start| {
            scope.spawn(move || {
                every(start).flat_map(|(fault, cases)| missed(*fault, cases)).collect::<Vec<_>>()
            })
        };
        let workers: Vec<_> = (0..AT_ONCE).map(worker).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn every_case_is_broken_by_some_fault() {
    let broken: BTreeSet<&str> = FAULTS.iter().flat_map(|(_, cases)| cases.iter().copied()).collect();
    let unbroken: Vec<_> = case_names().filter(|name| !broken.contains(name)).collect();
    assert!(unbroken.is_empty(), "no fault breaks {unbroken:?}");
}
