/**
 * Every bound of the program, by name, with its unit in the name.
 *
 * A loop, queue, page, cache or body that could grow takes its bound from here, and nowhere else. What a user can
 * change by a setting is marked so; the rest is fixed.
 *
 * @module
 */

export const KIB = 1024;
export const MIB = 1024 * KIB;

/** Longest message, without its `\n`. Setting `--max-message-size`. */
export const MESSAGE_BYTES_MAX_DEFAULT = 1 * MIB;
/** Largest batch, after decoding, with the `\n` of each message. Setting `--max-batch-size`. */
export const BATCH_BYTES_MAX_DEFAULT = 4 * MIB;
/** A chunk that reached this size is complete. Setting `--max-chunk-size`. */
export const CHUNK_BYTES_MAX_DEFAULT = 64 * MIB;
/** A chunk this old is complete, however small. Setting `--rotate-interval`. */
export const ROTATE_INTERVAL_MS_DEFAULT = 10 * 60_000;
/** Writes are refused while the data directory's file system has less than this. Setting `--min-free-disk`. */
export const MIN_FREE_DISK_BYTES_DEFAULT = 256 * MIB;

/** Other nodes of one cluster. Setting `--peers` names them. */
export const PEERS_MAX = 64;
/** A node that nobody heard of for this long has its last chunks completed by the others. Setting `--finalize-after`. */
export const FINALIZE_AFTER_MS_DEFAULT = 24 * 3_600_000;

/** Upper end of `max_size` of one read. */
export const READ_BYTES_MAX = 16 * MIB;
/** `max_size` of a read that names none: holds any message of the default limits. */
export const READ_BYTES_DEFAULT = 4 * MIB;
/** Settings for messages and batches may not exceed what one read can return. */
export const BATCH_BYTES_CEILING = READ_BYTES_MAX;
/** Reads up to this size are copied into one answer; larger ones are a stream of parts of blocks, twice as fast. */
export const READ_WHOLE_BYTES_MAX = 64 * KIB;
/** What clients of tails have not taken yet stays near this, however many there are, as long as each may have the least. */
export const TAILS_BYTES_MAX = 256 * MIB;
/** Of a client that takes nothing, a tail holds up to so many steps: on their way, behind that, and as events. */
export const TAIL_STEPS_HELD = 3;
/** A tail takes at least about this much at a time, or a single message that is longer. */
export const TAIL_STEP_BYTES_MIN = 64 * KIB;
/** A tail takes about this much at a time. */
export const TAIL_STEP_BYTES = 1 * MIB;
/** Larger reads go by blocks of about this size. */
export const BLOCK_BYTES = 1 * MIB;
/** Blocks that were read and verified, kept in memory in all. */
export const BLOCK_CACHE_BYTES_MAX = 64 * MIB;

/** Longest wait that `timeout` of a write may ask for. */
export const WRITE_TIMEOUT_MS_MAX = 60 * 60_000;
/** `timeout` of a write that names none. */
export const WRITE_TIMEOUT_MS_DEFAULT = 60_000;
/** From here on a small write's time may end up to `PACE_CHECK_MS` late: a timer of its own costs 3 of its 15 µs. */
export const WRITE_DEADLINE_COARSE_MS = 30_000;
/** URLs of writes whose parameters are remembered; all are forgotten when there would be more. */
export const WRITE_TARGETS_MAX = 4_096;
/** Longer URLs of writes are not remembered. */
export const WRITE_URL_CHARS_MAX = 512;

/** A record of the index vouches for at most this many bytes, so that no read has to verify much more than it asked for. */
export const INDEX_SEGMENT_BYTES_MAX = 64 * KIB;
/** A chunk whose index reached this size is complete: the index of a chunk always fits in memory. */
export const INDEX_BYTES_MAX = 16 * MIB;
/** Indexes of chunks that are being read, kept in memory in all. */
export const INDEX_CACHE_BYTES_MAX = 64 * MIB;
/** One group commit takes at most this many bytes (a single larger batch goes alone). */
export const GROUP_BYTES_MAX = 4 * MIB;
/** The newest bytes of a chunk that are kept in memory while somebody watches its category. */
export const RECENT_BYTES_MAX = 16 * KIB;
/** Bytes that wait in the append queue of one category; above, writes are answered 503. */
export const APPEND_QUEUE_BYTES_MAX = 64 * MIB;

/** Batches of one producer in one category that are known when they are sent again: the latest so many. */
export const PRODUCER_SEQUENCES_MAX = 128;
/** Producers that a node remembers, each in each category it writes to; beyond, the one that wrote least recently goes. */
export const PRODUCERS_MAX = 10_000;
/** A batch is known for this long when it is sent again. */
export const PRODUCER_AGE_MS_MAX = 7 * 86_400_000;

/** A complete chunk up to this size is synced in the background at once. */
export const SEAL_AT_ONCE_BYTES_MAX = 8 * MIB;
/** A larger one after this time. */
export const SEAL_DELAY_MS = 10_000;
/** Bytes of complete chunks that wait for that; above, they are synced at once. A start examines a GiB in about 0.5 s. */
export const UNSEALED_BYTES_MAX = 2 * 1024 * MIB;

/** Memory of request bodies that arrive or are not yet stored; above, writes are answered 503. */
export const BODY_BYTES_IN_FLIGHT_MAX = 256 * MIB;
/** Bodies up to this declared size are taken by one call; larger ones are copied into one buffer as they arrive. */
export const BODY_WHOLE_BYTES_MAX = 64 * KIB;
/** The first memory of a longer body; it grows fourfold, as bytes come. */
export const BODY_FIRST_BYTES = 64 * KIB;
/** Memory that large bodies were taken into and that is kept for the next ones; it is not in the bound above. */
export const BODY_BUFFERS_IDLE_BYTES_MAX = 16 * MIB;
/** What of the memory for bodies is left to those up to `BODY_WHOLE_BYTES_MAX`: longer ones, however many, do not take it. */
export const BODY_SMALL_RESERVED_BYTES = 16 * MIB;
/** For this long no body is slow: nothing can be said of its speed. */
export const BODY_FRESH_MS = 2_000;
/** A body that comes at less than this is slow: it goes first when memory is short. */
export const BODY_FAST_BYTES_PER_S = 256 * KIB;
/** The share of the memory for bodies that is made free at once when slow ones have to go. */
export const BODY_EVICTED_SHARE = 1 / 16;
/** A body of which nothing comes, or an answer of which nothing is taken, for this long is given up. */
export const PACE_SILENT_MS = 60_000;
/** The same for what is below this on the whole: 4 MiB take at most 35 minutes. */
export const PACE_BYTES_PER_S_MIN = 2 * KIB;
/** How often that is looked at. */
export const PACE_CHECK_MS = 1_000;
/** Encodings that one body may be wrapped in. */
export const CONTENT_ENCODINGS_MAX = 2;
/** How much longer than its content an encoded body may be: what does not compress grows a little. */
export const BODY_ENCODED_SLACK_BYTES = 64 * KIB;
/** Frames that one zstd body may consist of; each costs a call of some 50 µs. */
export const ZSTD_FRAMES_MAX = 1024;

/** For this long a browser need not ask again what a page may send. */
export const CORS_PREFLIGHT_S = 7_200;

/** Connections of a node; above, requests are answered 503. Setting `--max-connections`. */
export const CONNECTIONS_MAX_DEFAULT = 262_144;
/** How often they are counted. */
export const CONNECTIONS_CHECK_MS = 250;
/** There may be too many of them for this long; then those without a request are closed. */
export const CONNECTIONS_OVER_MS = 1_000;
/** Lists of chunks and categories that are longer than this are made and sent in slices of so many. */
export const LIST_SLICE_ELEMENTS = 1_000;
/** Descriptors that connections leave to everything else, besides the open files. */
export const DESCRIPTORS_RESERVED = 256;
/** Descriptors that are kept open for nothing, so that files can be opened when there are no others left. */
export const DESCRIPTORS_SPARE = 32;
/** So long after its last change, the time of a directory is relied upon, milliseconds: FAT knows two seconds. */
export const DIRECTORY_SETTLED_MS = 5_000;
/** With fewer chunks and categories than this, a start looks at each of them, and no checkpoint is written. */
export const CHECKPOINT_CHUNKS_MIN = 1_000;
/** So much of a checkpoint is written at a time. */
export const CHECKPOINT_STEP_BYTES = 1 * MIB;
/** Answers of `/read` and of replication that are streams and under way at once; above, 503. */
export const STREAMS_MAX = 1_000;
/** Polls of one other node that wait here at once: one, and some of which nobody knows yet that it left them. */
export const REPLICATION_POLLS_MAX = 8;
/** A listener that failed listens again after this time. */
export const LISTEN_AGAIN_MS = 250;

/** Files of the data directory that are open at once, besides those in use at that moment. */
export const OPEN_FILES_MAX = 4_096;
/** As many stay open where the system allows fewer than that: the process was out of descriptors. */
export const OPEN_FILES_MIN = 16;
/** Categories of one node. */
export const CATEGORIES_MAX = 1_000_000;
/** Consumers of one category; above, 503 for a new one. */
export const CONSUMERS_MAX = 1_000;
/** Names of a category's forgotten consumers that are kept; beyond, the one that was forgotten first goes. */
export const CONSUMERS_FORGOTTEN_MAX = 1_000;
/** Intervals of one consumer that are not acknowledged, of all owners together; an ack that would make more is a 503. */
export const CONSUMER_INTERVALS_MAX = 4_096;
/** Acknowledgements of consumers are on the device within this time. */
export const CONSUMERS_SYNC_MS = 1_000;
/** Categories whose consumers are put on the device at once. */
export const CONSUMER_SYNCS_MAX = 16;
/** What a consumer acknowledged is told to other nodes this late, sooner if there is something else to tell. */
export const CONSUMER_TOLD_MS = 100;
/** Streams of `/tail` that are open at once; above, 503. */
export const TAILS_MAX = 10_000;
/** A quiet event stream gets a comment this often, so that proxies keep it open. */
export const TAIL_KEEPALIVE_MS = 15_000;

/** Longest wait that a poll between nodes may ask for. */
export const REPLICATION_WAIT_MS_MAX = 20_000;
/** Copies, acknowledged owners or pieces in one answer between nodes, each. */
export const REPLICATION_ENTRIES_MAX = 5_000;
/** Copies that one poll may report as held. */
export const REPLICATION_HELD_MAX = 5_000;
/** Ranges that one fetch may ask for. */
export const REPLICATION_WANTED_MAX = 256;
/** Instances that one poll or answer may name: far more than a cluster has, those that are gone included. */
export const REPLICATION_NAMES_MAX = 1_000;
/** Longest cursor of an answer. */
export const REPLICATION_CURSOR_CHARS_MAX = 256;
/** Longest address of a peer. */
export const REPLICATION_URL_CHARS_MAX = 2_048;
/** Bytes that one fetch is about to bring; a single larger group of messages goes alone. */
export const REPLICATION_FETCH_BYTES_MAX = 4 * MIB;
/** A request between nodes: full of the longest names, it stays below half of this. */
export const REPLICATION_REQUEST_BYTES_MAX = 4 * MIB;
/** The JSON of an answer between nodes. */
export const REPLICATION_HEAD_BYTES_MAX = 8 * MIB;
/** An answer between nodes: its JSON, what was asked for, and one group that was larger than what was left of that. */
export const REPLICATION_ANSWER_BYTES_MAX = REPLICATION_HEAD_BYTES_MAX + REPLICATION_FETCH_BYTES_MAX +
  BATCH_BYTES_CEILING;
/** Answers between nodes up to this size are copied into one buffer; larger ones are a stream of their parts. */
export const REPLICATION_WHOLE_BYTES_MAX = 64 * KIB;
/** An error of a peer, or of what is there in its place; what is longer is not read. */
export const REPLICATION_ERROR_BYTES_MAX = 64 * KIB;
/** A poll that is not answered this long after its wait is over has failed. */
export const REPLICATION_POLL_SLACK_MS = 5_000;
/** An answer of which nothing arrived for this long has failed. */
export const REPLICATION_SILENT_MS = 10_000;
/** An answer must have arrived within this time, the wait of a poll not counted. */
export const REPLICATION_TRANSFER_MS = 60_000;
/** What a peer knows of one chunk must be answered within this time. */
export const REPLICATION_KNOWS_MS = 5_000;

/** After SIGTERM, requests under way get this long. */
export const SHUTDOWN_MS = 10_000;
/** How often free disk space is asked for, at most, while writes come in. */
export const DISK_SPACE_CHECK_MS = 500;
/** `Retry-After` of every 503. */
export const RETRY_AFTER_S = 1;
/** Values quoted in error messages are cut to this length. */
export const QUOTED_CHARS_MAX = 80;
/** Errors of one code are logged at most this often; while they go on, the pauses double up to `TROUBLE_LOG_INTERVAL_MS`. */
export const ERROR_LOG_INTERVAL_MS = 1_000;
/** Places in the order of changes where a page ended, kept for whoever asks for the next one. */
export const CHANGE_BOOKMARKS_MAX = 64;
/** Sizes of finalised chunks kept for each owner whose chunks are acknowledged; the smallest numbers go first. */
export const ACKNOWLEDGED_SIZES_MAX = 1_024;
/** Messages published again as one's own go in batches of about this size. */
export const EXCESS_BATCH_BYTES = 4 * MIB;
/** Chunks of one owner that a tail keeps in view because they may still grow; beyond, the oldest is left. */
export const TAIL_OPEN_CHUNKS_MAX = 64;

/** A poll between nodes waits this long for news: what cannot be reached is noticed within about twice of it. */
export const POLL_WAIT_MS = 3_000;
/** How long a peer may take to answer, besides what it was asked to wait. */
export const ANSWER_MS_MAX = 2_000;
/** A peer that answers sooner than this that there is nothing new is asked again after this time. */
export const EMPTY_ANSWER_MS_MIN = 20;
/** How long an answer may take that begins at the beginning, which may be long. */
export const LISTING_MS_MAX = 10_000;
/** What both grow to after failures, should the line be slow. */
export const SLOW_ANSWER_MS_MAX = 40_000;
/** Ranges of acknowledged chunks in one answer; a single owner's may be more. */
export const REPLICATION_RANGES_MAX = 50_000;
/** How long a peer may take to answer a fetch; after that, less is asked for. */
export const FETCH_TIMEOUT_MS = 10_000;
/** The least that a fetch asks for, of a peer that is slow. */
export const FETCH_BYTES_MIN = 64 * KIB;
/** Lanes (a category and an owner) that are fetched from one peer at once. */
export const DOWNLOAD_LANES_MAX = 4;
/** About what is fetched from one peer before it is told what came of it. */
export const CATCH_UP_ROUND_BYTES = 8 * MIB;
/** A chunk is read for a peer in pieces of at most this size. */
export const PIECE_BYTES = 1 * MIB;
/** New bytes of one chunk that are put into the answer to a poll. */
export const INLINE_CHUNK_BYTES_MAX = 64 * KIB;
/** The same of all chunks together. */
export const INLINE_BYTES_MAX = 256 * KIB;
/** News that a node has from others is told this late to those who can have it from its owner. */
export const RELAY_DELAY_MS = 500;
/** First pause after a peer could not be asked; it doubles from time to time. */
export const RETRY_MS_MIN = 100;
/** Longest pause. */
export const RETRY_MS_MAX = 2_000;
/** What could not be fetched or used is tried again after this time. */
export const RESTING_MS = 10_000;
/** The same trouble, with a peer, with the disk, or told to a client, is logged at most this often. */
export const TROUBLE_LOG_INTERVAL_MS = 60_000;
/** A node that was heard this recently is live: another one of its name is refused. */
export const NODE_LIVE_MS = 5_000;
/** How many chunk numbers a node with an empty disk leaves out behind those that its peers know of. */
export const NUMBERS_SKIPPED = 1_000;
/** An acknowledgement waits this long for what it needs to know. */
export const ACK_WAIT_MS = 5_000;
/** How often it is asked whether an owner has been silent for `--finalize-after`, at most. */
export const FINALISE_CHECK_MS = 10_000;
/** A chunk that is checked, or healed, is read in steps of this size; everything else has its turn in between. */
export const HEAL_STEP_BYTES = 256 * KIB;
/** Damage is healed this long after it was found: whatever found it tells of more of it first. */
export const HEAL_DELAY_MS = 100;
/** First pause after a damaged chunk could not be healed; it doubles from time to time. */
export const HEAL_RETRY_MS_MIN = 1_000;
/** Longest pause. */
export const HEAL_RETRY_MS_MAX = 10 * 60_000;
/** Damaged ranges of a chunk that others are asked for before all of it is looked at again; for more, that is done. */
export const HEAL_PROBES_MAX = 64;
/** What could not be healed is told at most this often. */
export const HEAL_LOG_INTERVAL_MS = 60_000;
/** A round over all complete chunks, looking for rot, is spread over this time. Setting `--scrub-interval`. */
export const SCRUB_INTERVAL_MS_DEFAULT = 7 * 86_400_000;
/** It reads at most at this speed. */
export const SCRUB_BYTES_PER_S_MAX = 16 * MIB;
/** Where there is nothing to look at, it is asked again after this time. */
export const SCRUB_IDLE_MS = 60 * 60_000;
/** Chunks and categories that are gone through at once; then others get their turn. */
export const SCRUB_LOOK_CHUNKS = 1_000;
/** Part of the shutdown time that peers get to take what they lack. */
export const SHUTDOWN_REPLICAS_MS = 3_000;

/** Categories that `/metrics` names, by first use; what concerns all others is summed up under one label. */
export const METRICS_CATEGORIES_MAX = 200;
/** An answer of `/metrics` serves everybody who asks within this time. */
export const METRICS_CACHE_MS = 1_000;
/** Messages are counted in batches up to this size; of larger ones about this much is looked at, and the rest estimated. */
export const MESSAGES_COUNTED_BYTES_MAX = 8 * KIB;
/** Chunks that are counted at once before others go first: less than a millisecond. */
export const CENSUS_SLICE_CHUNKS = 2_000;

/** Entries of a setting that gives each category a limit by its pattern. */
export const CATEGORY_LIMITS_MAX = 256;
/** The shortest that `--retention-age` may be: what has expired is looked for this often, too. */
export const RETENTION_AGE_MS_MIN = 60_000;
/** How often it is asked what has expired. */
export const RETENTION_CHECK_MS = 60_000;
/** After a start nothing expires for this long: what a mistaken rule would delete is in the log by then. */
export const RETENTION_GRACE_MS = 10 * 60_000;
/** How often the time that was observed is put on the device: what a crash makes chunks live longer, at most. */
export const RETENTION_SAVE_MS = 10 * 60_000;
/** Chunks that expire at once; then others get their turn. */
export const RETENTION_BATCH_CHUNKS_MAX = 256;
/** Categories that are looked at in one go; then others get their turn. */
export const RETENTION_BATCH_CATEGORIES_MAX = 1_000;
/** The wall clock was set if it is further off than this from where it would have gone by itself. */
export const CLOCK_STEP_MS_MIN = 1_000;
/** Stretches between such steps that are told apart; beyond, two that differ least become one. */
export const CLOCK_STRETCHES_MAX = 64;

/** Fewest characters of a token: 16 of base64 are 96 bits. */
export const TOKEN_CHARS_MIN = 16;
/** Longest token. */
export const TOKEN_CHARS_MAX = 256;
/** Fewest different characters of a token: what a person types by holding a key down is none. */
export const TOKEN_DISTINCT_CHARS_MIN = 8;
/** Longest name of a token: shorter than the tokens that are made, so that one in the wrong field is no name. */
export const TOKEN_NAME_CHARS_MAX = 32;
/** Tokens of one node. All of them are compared with each token that was not seen before. */
export const TOKENS_MAX = 1_000;
/** Longest `Authorization` header that is looked at. */
export const AUTHORIZATION_CHARS_MAX = 1_024;
/** `Authorization` headers of known tokens that are remembered, so that they are not hashed again each time. */
export const AUTHORIZATIONS_MAX = 1_024;
/** Largest file of tokens or certificates. */
export const SECRET_FILE_BYTES_MAX = 1 * MIB;
/** How often these files are looked at. A change counts once it was the same twice: within two of these. */
export const RELOAD_INTERVAL_MS = 1_000;
/** A certificate that expires within this time is reported as a failed check. */
export const CERTIFICATE_LEFT_MS_MIN = 14 * 86_400_000;
/** A listener whose certificate was replaced tells clients for this long, with each answer, that connections end. */
export const LISTENER_DISMISS_MS = 1_000;
/** After that it waits this long, at most, for a moment at which no body is on its way. */
export const LISTENER_GAP_MS_MAX = 10_000;
/** How long the port may stay taken when one listener follows another on systems that allow only one at a time. */
export const LISTEN_AGAIN_MS_MAX = 5_000;

/** Lines of one message that are logged within the interval below; the others are counted. */
export const LOG_REPEATS_MAX = 10;
/** After this time a message is logged again, and how many lines of it were left out is told. */
export const LOG_REPEATS_INTERVAL_MS = 60_000;
/** Messages that are told apart for that; what is more shares one place for each level. */
export const LOG_MESSAGES_MAX = 1_000;
/** Log lines that wait to be written; beyond, they are dropped, counted, and that is told. */
export const LOG_QUEUE_BYTES_MAX = 1 * MIB;
/** At the end, log lines that nobody takes are waited for this long. */
export const LOG_CLOSE_MS = 1_000;

/** A client's consumer lends messages for this long, unless it says otherwise, and renews that while it works on them. */
export const CLIENT_LEASE_MS_DEFAULT = 30_000;
/** Shortest lease that a client's consumer asks for: it is renewed at a third of it. */
export const CLIENT_LEASE_MS_MIN = 100;
/** It renews them for this long at most, unless it says otherwise: a worker that hangs does not keep them for ever. */
export const CLIENT_RENEW_MS_DEFAULT = 60 * 60_000;
/** Batches that a client's consumer fetches ahead, unless it says otherwise, and at most. */
export const CLIENT_PREFETCH_DEFAULT = 2;
export const CLIENT_PREFETCH_MAX = 100;
/** How long a client has a node wait for messages before it asks anew. */
export const CLIENT_POLL_MS = 10_000;
/** A node that says nothing for this long, what it was told to wait not counted, is passed over for another. */
export const CLIENT_ANSWER_MS = 10_000;
/** A consumer that ends waits this long for the answer of a node that may have lent it something just now. */
export const CLIENT_LEAVE_MS = 100;
/** After a request that waited was aborted, its node gets this long to notice. */
export const CLIENT_LEFT_MS = 20;
/** A consumer that ends waits this long for nodes to take back what it did not work on. */
export const CLIENT_RELEASE_MS = 2_000;
/** A client that goes back to the node it prefers waits this long before: what it acknowledged elsewhere arrives there. */
export const CLIENT_SETTLE_MS = 500;
/** A client that fails again within this time makes a pause, whatever was answered in between. */
export const CLIENT_STEADY_MS = 1_000;
/** First pause of a client after all nodes failed; it doubles from time to time. */
export const CLIENT_RETRY_MS_MIN = 100;
/** Longest pause. */
export const CLIENT_RETRY_MS_MAX = 5_000;
/** A client's producer makes batches of this size at most, unless it says otherwise. */
export const CLIENT_BATCH_BYTES_DEFAULT = 512 * KIB;
/** What a client's producer holds before it asks to wait, unless it says otherwise. At twice that it refuses. */
export const CLIENT_BUFFER_BYTES_DEFAULT = 4 * MIB;
/** What a message that is held counts besides its bytes: about what is needed to tell its sender. */
export const CLIENT_MESSAGE_OVERHEAD_BYTES = 256;
/** Batches of one producer that are under way at once, at most. */
export const CLIENT_IN_FLIGHT_MAX = 64;
/** How long a producer's batch may wait for the next message, at most. */
export const CLIENT_LINGER_MS_MAX = 60_000;
/** A producer has nodes wait this long for what an answer has to wait for; then it asks again. */
export const CLIENT_CONFIRM_MS_DEFAULT = 10_000;
/** A batch is given this much more time to be sent; after two timeouts twice that, and so on. */
export const CLIENT_BYTES_PER_S_MIN = 64 * KIB;
/** Attempts at a node that may have written a batch before it is sent to another one. */
export const CLIENT_SAME_NODE_TRIES = 3;
/** The same where no answer came at all. */
export const CLIENT_SILENT_NODE_TRIES = 2;
/** Runtimes keep a connection that nobody uses for this long, at most. */
export const CLIENT_KEPT_MS = 5 * 60_000;
/** A node that asks for a longer pause than this is asked sooner. */
export const CLIENT_RETRY_AFTER_MS_MAX = 60_000;
/** A node that failed a client comes last among those that it may ask for this long; it doubles from time to time. */
export const CLIENT_REST_MS_MIN = 1_000;
/** Longest time for that. */
export const CLIENT_REST_MS_MAX = 30_000;
/** A client that was answered before throws the last error when no node has answered for this long, unless told otherwise. */
export const CLIENT_GIVE_UP_MS_DEFAULT = 10 * 60_000;
/** The same for one that was never answered: its addresses may be wrong. */
export const CLIENT_FIRST_ANSWER_MS = 60_000;

/** Longest wait that `/consume` may ask for. */
export const CONSUME_WAIT_MS_MAX = 60_000;
/** Polls of `/consume` that wait at once; above, 503. */
export const CONSUME_POLLS_MAX = 10_000;
/** Longest lease. */
export const LEASE_MS_MAX = 12 * 3_600_000;
/** Leases that run out are looked for at most this often: they may be this late. */
export const LEASE_CHECK_MS = 10;
/** Pieces of one node that are on lease or came back, of all consumers; above, nothing new is lent. */
export const PIECES_MAX = 100_000;
/** Those of one consumer: workers that never acknowledge do not take the leases of others. */
export const CONSUMER_PIECES_MAX = 20_000;
/** Largest `max_deliveries`. */
export const MAX_DELIVERIES_MAX = 1_000;
/** Times that the history of a piece tells of, half of them the first ones. */
export const DELIVERIES_TOLD_MAX = 16;
/** Longest name of a worker. */
export const WORKER_CHARS_MAX = 128;
/** Consumers of one node that are being handed messages; above, those that nobody asks for go, or 503. */
export const DISPENSERS_MAX = 10_000;
/** Chunks that one consumer cannot be given the next messages of, for damage, and that are passed over meanwhile. */
export const STUCK_CHUNKS_MAX = 64;
/** Such a chunk is looked at again after this time. */
export const STUCK_MS = 1_000;
/** Longest line of a dead letter; a longer letter is several lines. */
export const DEAD_LETTER_BYTES_MAX = READ_BYTES_DEFAULT;
/** Dead letters of one consumer that are being written at once. */
export const DEAD_LETTERS_AT_ONCE = 4;
/** One that could not be written is tried again after this time. */
export const DEAD_LETTER_RETRY_MS = 1_000;
/** Consumers whose lag `/metrics` tells, by first sight; that of all others is summed up under one label. */
export const METRICS_CONSUMERS_MAX = 200;
/** Consumers that `/status` tells, those that are furthest behind. */
export const STATUS_CONSUMERS_MAX = 10;
