//! Which device takes which task next: the pull queue.
