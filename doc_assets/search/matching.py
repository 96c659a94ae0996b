"""One query document -> ranked documents: retrieve, fuse, look closely, aggregate."""

from collections.abc import Sequence
from dataclasses import dataclass

from doc_assets.archive.ledger.results import SearchFault
from doc_assets.archive.ledger.search_settings import SearchRequest
from doc_assets.archive.vectors.base import VectorStore
from doc_assets.search.query import QueryDocument
from doc_assets.search.ranking import DocumentMatch, Twin, best_of_each_photo, rank_documents
from doc_assets.search.retrieval import Batch, Retrieved, fused, retrieve_from_archive
from doc_assets.search.verify.probability import PairModel
from doc_assets.search.verifying import LoadFeatures, LoadPixels, Verifier
from doc_assets.util.isolation import Failure, attempt
from doc_assets.util.threads import Workers


@dataclass(frozen=True, slots=True)
class Matcher:
    """Everything that a query document is compared with.

    Attributes:
        store, collection: the archive.
        load_features: finds the keypoints of archive photos.
        load_pixels: finds archive photos themselves.
        threads: look at photos side by side.
        model: judges photo pairs.
        request: how to search.
        batch: documents that are searched together, if they are compared with each other.
    """

    store: VectorStore
    collection: str
    load_features: LoadFeatures
    load_pixels: LoadPixels
    threads: Workers
    model: PairModel
    request: SearchRequest
    batch: Batch | None = None

    def match(self, query: QueryDocument, twins: Sequence[Twin], faults: list[SearchFault]) -> list[DocumentMatch]:
        """All documents that any photo of ``query`` was found in, and its byte-identical ones; best first.

        Args:
            query: the query document.
            twins: documents of the same bytes.
            faults: takes what could not be looked for or compared; the rest is in the ranking.

        Raises:
            SetupError, ServiceError: if the archive cannot be asked at all.
        """
        top_k = self.request.top_k
        if self.request.exclude_own_merchant and query.merchant_id is not None:
            twins = [twin for twin in twins if twin.merchant_id != query.merchant_id]
        matches = fused(self._retrieved(query, faults))
        if self.request.verify:
            verifier = Verifier(self.load_features, self.load_pixels, self.batch, self.model, faults)
            matches = verifier.verified(query, matches, self.threads)
        return rank_documents(
            best_of_each_photo(matches, top_k),
            n_query_photos=len(query.photos),
            aggregation=self.request.aggregation,
            top_doc=len(matches) + len(twins) + 1,
            thresholds=self.request,
            twins=twins,
        )

    def _retrieved(self, query: QueryDocument, faults: list[SearchFault]) -> list[Retrieved]:
        """Candidates from the archive and from the batch, each if it can be had."""
        top_k, use_words = self.request.top_k, self.request.use_words
        exclude = self.request.exclude_own_merchant

        def from_archive() -> Retrieved:
            return retrieve_from_archive(
                self.store, self.collection, query, top_k, use_words=use_words, exclude_own_merchant=exclude
            )

        def from_batch() -> Retrieved:
            if self.batch is None:
                return Retrieved()
            return self.batch.retrieve(query, top_k, use_words=use_words, exclude_own_merchant=exclude)

        parts = []
        for where, retrieve in (("the archive", from_archive), ("the documents searched together", from_batch)):
            found = attempt(f"candidates in {where}", retrieve)
            if isinstance(found, Failure):
                faults.append(SearchFault("retrieval", f"No candidates could be had from {where}: {found.reason}"))
            else:
                parts.append(found)
        return parts
