// `_manifest.json` beside the data: what a reader, and whoever asks later, must know of the files there. Made from the ledger, row by row, so that neither many files nor
// many objects need memory; replaced as a whole. docs/reliability.md has its members.
#pragma once

#include "ledger/ledger.hpp"
#include "storage/storage.hpp"

namespace lm {

// Of every target of the ledger that is a folder, or a prefix in a bucket.
Result<void> write_manifests(Ledger&, Storages&);

// Errc::invalid: the target has a manifest of another ledger, whose job this one would mix with.
Result<void> check_manifest(Ledger&, const LedgerTarget&, Storages&);

}  // namespace lm
