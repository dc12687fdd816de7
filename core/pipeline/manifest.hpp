// `_manifest.json` beside the data: what a reader, and whoever asks later, must know of the files there. Made from the ledger, row by row, so that neither many files nor
// many objects need memory; replaced as a whole. docs/reliability.md has its members.
#pragma once

#include "ledger/ledger.hpp"

namespace lm {

// Of every target of the ledger that is a local folder.
Result<void> write_manifests(Ledger&);

// Errc::invalid: the folder has a manifest of another ledger, whose job this one would mix with.
Result<void> check_manifest(Ledger&, const LedgerTarget&);

}  // namespace lm
