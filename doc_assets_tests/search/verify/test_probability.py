from doc_assets.search.verify.probability import PairModel


def test_similarity_counts_only_with_the_embedder_that_the_model_was_fitted_with():
    own = PairModel()

    same, other = PairModel(embedder_id=own.fitted_for), PairModel(embedder_id="transformers-00000000")

    assert own.fitted_for.startswith("gist-")
    assert own.probability(0.99, None) == same.probability(0.99, None) > 0.5
    assert other.probability(0.99, None) == own.probability(0.0, None) < 0.1
    assert (same.similarity_counts, other.similarity_counts) == (True, False)
