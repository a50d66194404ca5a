"""Durability: the files in which records survive their process.

journal         the writer: open calls and undelivered records, in a mapped file
entry_writer    entries of any kind and size; slots writes the usual call
journal_notes   notes in its header: whose it is, and when the process was last seen
memory          stores into the mapped file, in C or interpreted
bus_error       keeps an interpreted program alive if that file is truncated
journal_reader  the reader of journals that dead processes left
journal_format  structs, states and sizes of a journal
open_calls      calls of living processes, read while they are written
dead_journals   the journals of dead processes, read before their recovery
death           how a process died, as far as its traces show
disk_queue      records on disk, in order, when memory has no room for them
segment_file    one file of the disk queue
redelivery      delivers such records, so that one never stops another
damaged         the readable part of files that were set aside
quarantine      refused records and damaged files, kept for a person to look at
recovery        finds and delivers the files that dead processes left
directories     the directories of these files, and the locks on them
"""
