//! The list of cases: one list for the report and for the tests of an author's crate.

use super::failure::Outcome;
use super::session::Session;
use crate::Features;

/// One promise, as something that can be checked.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) promise: &'static str,
    pub(crate) needs: Features,
    pub(crate) check: fn(&Session<'_>) -> Outcome,
}

/// Hands the list to a macro: for each module its promise, and for each case the features it needs.
#[doc(hidden)]
#[macro_export]
macro_rules! contract_cases {
    ($($callback:tt)+) => {
        $($callback)+! {
            nodes "promise 1 (nodes)" {
                root_is_always_a_valid_directory [],
                lookup_finds_the_same_node_while_it_is_known [],
                every_returned_entry_counts_as_one_lookup [WRITE],
                a_count_of_several_is_taken_back_at_once [WRITE],
                entries_of_mkdir_and_mknod_count_as_lookups [WRITE],
                an_entry_of_symlink_counts_as_a_lookup [WRITE SYMLINKS],
                an_entry_of_link_counts_as_a_lookup [WRITE HARD_LINKS],
                entries_of_a_listing_count_as_lookups [WRITE],
                two_names_of_one_file_are_one_node [WRITE HARD_LINKS],
                a_forgotten_node_is_found_again [WRITE],
                a_directory_may_be_forgotten_before_what_is_in_it [WRITE],
                a_removed_directory_stays_a_valid_empty_node [WRITE],
                the_node_of_a_name_that_was_made_anew_is_another [WRITE],
            }
            names "promise 2 (names)" {
                any_bytes_make_a_file_name [WRITE],
                any_bytes_make_a_directory_name [WRITE],
                any_bytes_can_be_renamed_to [WRITE],
                link_targets_are_returned_byte_for_byte [WRITE SYMLINKS],
            }
            identity "promise 3 (identity)" {
                every_look_at_an_object_gives_one_id [],
                a_listing_tells_the_id_and_type_of_the_attributes [],
                objects_that_exist_together_have_different_ids [WRITE],
                an_id_outlives_forget [WRITE],
                an_id_outlives_rename [WRITE],
                hard_links_share_their_id [WRITE HARD_LINKS],
                the_type_of_an_object_is_told [WRITE],
            }
            unlinked "promise 4 (unlinked files)" {
                an_open_file_outlives_its_name [WRITE],
                an_unlinked_file_is_seen_nowhere [WRITE],
                an_unlinked_known_node_can_be_opened_and_written [WRITE],
                a_file_replaced_by_rename_stays_open [WRITE],
                a_name_made_anew_leaves_the_unlinked_file_alone [WRITE],
                an_open_file_in_a_renamed_and_removed_place_stays_usable [WRITE],
                a_second_handle_survives_the_release_of_the_first [WRITE],
                one_of_two_names_can_go [WRITE HARD_LINKS],
            }
            rename "promise 5 (rename)" {
                a_renamed_file_keeps_node_and_content [WRITE],
                a_renamed_directory_keeps_its_subtree_and_nodes [WRITE],
                a_subtree_can_be_moved_again_and_again [WRITE],
                rename_replaces_a_file [WRITE],
                rename_replaces_an_empty_directory [WRITE],
                rename_onto_itself_changes_nothing [WRITE],
                rename_between_two_names_of_one_file_keeps_both [WRITE HARD_LINKS],
                noreplace_refuses_an_existing_name [WRITE RENAME_NOREPLACE],
                exchange_swaps_two_names [WRITE RENAME_EXCHANGE],
                exchange_needs_both_names [WRITE RENAME_EXCHANGE],
                exchange_refuses_a_directory_and_its_own_ancestor [WRITE RENAME_EXCHANGE],
                whiteout_leaves_a_device_at_the_old_name [WRITE RENAME_WHITEOUT],
                contradictory_flags_are_refused [WRITE],
                flags_that_are_unknown_or_not_supported_are_refused [WRITE],
                a_directory_cannot_move_into_its_own_subtree [WRITE],
                rename_of_a_missing_name_is_refused [WRITE],
                rename_minds_what_it_replaces [WRITE],
            }
            sizes "promise 6 (sizes)" {
                a_read_gives_what_the_file_holds [],
                a_read_beyond_the_end_gives_nothing [],
                a_read_is_short_only_at_the_end [WRITE],
                a_write_in_the_middle_changes_only_its_range [WRITE],
                a_write_beyond_the_end_leaves_a_hole_of_zeros [WRITE],
                an_extended_file_ends_in_zeros [WRITE],
                cut_data_does_not_come_back [WRITE],
                truncate_works_by_node_and_by_handle [WRITE],
                open_with_truncate_cuts_the_file [WRITE],
                append_writes_go_to_the_end [WRITE],
                an_empty_write_changes_nothing [WRITE],
                what_one_handle_writes_another_reads [WRITE],
                a_sparse_file_takes_little_space [WRITE SPARSE],
                space_comes_back_when_a_file_is_cut [WRITE SPARSE FSYNC],
            }
            durability "promise 7 (durability)" {
                fsync_and_flush_succeed_and_keep_the_data [WRITE FSYNC],
                fsync_of_an_unlinked_file_succeeds [WRITE FSYNC],
                fsync_of_a_directory_succeeds [WRITE FSYNC],
                what_was_synced_is_there_after_a_restart [WRITE FSYNC],
                a_lost_write_is_reported [WRITE FSYNC],
                an_opendir_that_keeps_nothing_needs_no_release [],
            }
            listings "promise 8 (listings)" {
                every_entry_is_listed_exactly_once [WRITE],
                cookies_are_unique_and_within_bounds [],
                a_listing_resumes_at_any_cookie [],
                cookie_zero_reads_afresh [WRITE],
                unchanged_entries_are_listed_once_while_others_change [WRITE],
                a_directory_can_be_emptied_while_it_is_listed [WRITE],
                a_cookie_is_not_reused_for_another_name [WRITE ENTRY_COOKIES],
                a_full_sink_loses_nothing [],
                entries_that_a_full_sink_refused_are_not_known [WRITE],
                two_listings_of_one_directory_do_not_disturb_each_other [WRITE],
                an_open_listing_outlives_its_directory [WRITE],
            }
            errors "promise 9 (errors)" {
                lookup_of_a_missing_name_is_enoent [],
                lookup_in_a_file_is_enotdir [],
                listing_a_file_is_enotdir [],
                readlink_of_a_file_is_einval [WRITE SYMLINKS],
                making_an_existing_name_is_eexist [WRITE],
                symlink_to_an_existing_name_is_eexist [WRITE SYMLINKS],
                create_without_exclusive_opens_what_exists [WRITE],
                making_something_in_a_removed_directory_is_enoent [WRITE],
                making_something_in_a_file_is_enotdir [WRITE],
                a_link_target_beyond_the_limit_is_enametoolong [WRITE SYMLINKS],
                link_errors_are_those_of_the_man_page [WRITE HARD_LINKS],
                unlink_errors_are_those_of_the_man_page [WRITE],
                rmdir_errors_are_those_of_the_man_page [WRITE],
                a_directory_cannot_be_opened_for_writing [WRITE],
                a_handle_does_only_what_it_was_opened_for [WRITE],
                an_impossible_size_is_efbig [WRITE],
                an_unknown_ioctl_is_enotty [],
                statfs_tells_sizes_that_fit_together [STATFS],
                what_is_not_implemented_says_so [],
            }
            creation "promise 10 (permissions)" {
                the_umask_is_taken_from_what_is_made [WRITE PERMISSIONS],
                special_bits_survive_mkdir_and_mknod [WRITE PERMISSIONS OWNERSHIP],
                the_caller_owns_what_it_makes [WRITE OWNERSHIP],
                a_setgid_directory_gives_its_group [WRITE PERMISSIONS OWNERSHIP],
                named_pipes_and_sockets_can_be_made [WRITE SPECIAL_FILES],
                devices_keep_their_number [WRITE DEVICES],
                what_is_made_is_fresh [WRITE],
                a_write_strips_privileges_on_request [WRITE PERMISSIONS OWNERSHIP PRIVILEGES],
                a_write_keeps_privileges_unless_asked [WRITE PERMISSIONS OWNERSHIP PRIVILEGES],
                truncate_strips_privileges_on_request [WRITE PERMISSIONS OWNERSHIP PRIVILEGES],
                an_open_strips_privileges_on_request_only [WRITE PERMISSIONS OWNERSHIP PRIVILEGES],
                chown_strips_privileges_on_request [WRITE PERMISSIONS OWNERSHIP PRIVILEGES],
            }
            attributes "the documentation of setattr" {
                setattr_changes_only_what_is_asked [WRITE PERMISSIONS TIMES],
                permissions_of_all_kinds_can_be_set [WRITE PERMISSIONS],
                owner_and_group_change_separately [WRITE OWNERSHIP],
                times_are_kept_to_the_nanosecond [WRITE TIMES],
                one_time_can_be_set_alone [WRITE TIMES],
                times_of_links_can_be_set [WRITE TIMES SYMLINKS],
                the_order_of_changes_is_owner_permissions_size_times [WRITE PERMISSIONS TIMES],
                writing_and_cutting_renew_the_times_of_a_file [WRITE PERMISSIONS TIMES],
                changing_the_links_of_a_file_renews_its_change_time [WRITE HARD_LINKS TIMES],
                changing_entries_renews_the_times_of_the_directory [WRITE TIMES],
                reading_leaves_the_modification_time [WRITE TIMES],
            }
            xattrs "the documentation of the extended attributes" {
                values_come_back_byte_for_byte [WRITE XATTRS],
                names_are_listed_each_with_a_nul [WRITE XATTRS],
                create_and_replace_mind_what_exists [WRITE XATTRS],
                a_missing_attribute_is_enodata [WRITE XATTRS],
                a_foreign_namespace_is_eopnotsupp [WRITE XATTRS],
                what_is_too_long_is_refused [WRITE XATTRS],
                attributes_belong_to_the_file_not_its_name [WRITE XATTRS],
            }
            space "the documentation of fallocate, lseek and copy_file_range" {
                fallocate_extends_and_keeps_the_data [WRITE FALLOCATE],
                fallocate_can_keep_the_size [WRITE FALLOCATE],
                punching_a_hole_zeroes_exactly_the_range [WRITE PUNCH_HOLE],
                a_hole_gives_space_back [WRITE PUNCH_HOLE FSYNC],
                zeroing_a_range_zeroes_exactly_the_range [WRITE ZERO_RANGE],
                modes_that_are_not_supported_are_refused [WRITE],
                a_reading_handle_allocates_nothing [WRITE FALLOCATE],
                seeking_finds_data_and_the_hole_at_the_end [WRITE SEEK_HOLE],
                seeking_finds_holes_in_sparse_files [WRITE SEEK_HOLE SPARSE],
                a_copied_range_arrives [WRITE COPY_RANGE],
                a_copy_ends_at_the_end_of_the_source [WRITE COPY_RANGE],
                overlapping_ranges_of_one_file_are_einval [WRITE COPY_RANGE],
                a_copy_minds_what_its_handles_may [WRITE COPY_RANGE],
            }
            unnamed "the documentation of tmpfile" {
                an_unnamed_file_is_seen_nowhere_and_used_as_any_other [WRITE TMPFILE],
                an_unnamed_file_can_get_its_first_name [WRITE TMPFILE HARD_LINKS],
                exclusive_forbids_a_first_name [WRITE TMPFILE HARD_LINKS],
                a_file_whose_first_name_is_gone_gets_no_other [WRITE TMPFILE HARD_LINKS],
                an_unnamed_file_is_made_in_a_directory_only [WRITE TMPFILE],
                an_unnamed_file_belongs_to_its_maker [WRITE TMPFILE PERMISSIONS OWNERSHIP],
            }
            locks "the documentation of getlk and setlk" {
                write_locks_keep_others_out_and_read_locks_are_shared [WRITE LOCKS],
                getlk_tells_the_first_lock_in_the_way [WRITE LOCKS],
                an_unlock_of_a_part_leaves_the_rest [WRITE LOCKS],
                an_owner_changes_the_kind_of_its_locks [WRITE LOCKS],
                a_lock_belongs_to_its_owner_through_whichever_handle [WRITE LOCKS],
                giving_everything_back_ends_the_locks_of_one_owner [WRITE LOCKS],
                files_are_locked_one_by_one [WRITE LOCKS],
                locks_on_whole_files_keep_others_out_and_can_be_changed [WRITE LOCKS],
                the_two_families_do_not_see_each_other [WRITE LOCKS],
                a_wait_ends_when_the_lock_is_free [WRITE LOCKS],
                a_cancelled_wait_is_eintr_and_takes_nothing [WRITE LOCKS],
            }
            concurrency "what an implementation may assume: several threads at a time" {
                a_lookup_during_rename_finds_old_or_new [WRITE],
                readers_during_rename_see_a_whole_file [WRITE],
                an_exchange_never_hides_a_name [WRITE RENAME_EXCHANGE],
                parallel_creates_in_one_directory_all_succeed [WRITE],
                exactly_one_of_many_makes_a_name [WRITE],
                exactly_one_of_many_removes_a_name [WRITE],
                a_listing_during_changes_shows_stable_entries_once [WRITE],
                lookups_and_forgets_in_parallel_keep_the_count [WRITE],
                the_last_forget_and_a_new_lookup_do_not_collide [WRITE],
                crossing_directory_renames_make_no_cycle [WRITE],
                parallel_writes_to_one_file_all_arrive [WRITE],
                creating_in_a_directory_that_is_removed_loses_nothing [WRITE],
            }
            hostile "what it must not do: panic on anything from outside" {
                absurd_offsets_of_reads_are_answered [],
                absurd_offsets_of_writes_are_answered [WRITE],
                absurd_sizes_are_answered [WRITE],
                absurd_ranges_are_answered [WRITE],
                unknown_flags_are_answered [WRITE],
                absurd_attribute_names_are_answered [WRITE],
                unknown_cookies_are_answered [],
                absurd_modes_and_times_are_answered [WRITE],
                deep_trees_are_answered [WRITE],
            }
        }
    };
}

macro_rules! table {
    ($($module:ident $promise:literal { $($case:ident [$($feature:ident)*],)* })*) => {
        /// Every case, in the order of the promises.
        pub(crate) static CASES: &[Case] = &[$($(
            Case {
                name: concat!(stringify!($module), "::", stringify!($case)),
                promise: $promise,
                needs: Features::empty()$(.union(Features::$feature))*,
                check: super::$module::$case,
            },
        )*)*];
    };
}

contract_cases!(table);

/// Makes a test of each case of the contract suite, in a module of the given name.
///
/// `factory` is called for each test and returns something that becomes a [`Subject`](crate::Subject): a fresh
/// provider with an empty tree (or with the profile's sample). `profile` is the [`Profile`](crate::Profile) of the
/// provider. A test whose features the profile lacks passes without doing anything.
///
/// ```text
/// fs9_testkit::contract_suite!(memory, || Subject::new(MemoryProvider::new()), Profile::full());
/// ```
#[macro_export]
macro_rules! contract_suite {
    ($name:ident, $factory:expr, $profile:expr) => {
        fn $name(case: &str) {
            $crate::contract::run_case(case, &$profile, $factory);
        }

        mod $name {
            // Function and module bear one name in two namespaces; each is needed where the other is.
            use super::$name as check;

            $crate::contract_cases!($crate::contract_tests);
        }
    };
}

/// Makes the modules and tests of [`contract_suite!`]; `check` is in the module around them.
#[doc(hidden)]
#[macro_export]
macro_rules! contract_tests {
    ($($module:ident $promise:literal { $($case:ident [$($feature:ident)*],)* })*) => {
        $(mod $module {
            $(#[test]
            fn $case() {
                super::check(concat!(stringify!($module), "::", stringify!($case)));
            })*
        })*
    };
}
