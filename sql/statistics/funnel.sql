-- How much is left after each step, from files to tiers, in count and hours?
-- Not in clips and hours per profile: one row per profile and step: the sum of batch_funnel, which defines the steps, over all batches.
SELECT
    profile, section, min(position) AS position, step,
    sum(count_in)::BIGINT AS count_in, sum(kept)::BIGINT AS kept,
    sum(rejected)::BIGINT AS rejected, sum(not_evaluated)::BIGINT AS not_evaluated,
    round(sum(hours_in), 6) AS hours_in, round(sum(hours_kept), 6) AS hours_kept,
    round(sum(hours_rejected), 6) AS hours_rejected, round(sum(hours_not_evaluated), 6) AS hours_not_evaluated,
    bool_and(is_conserved) AS is_conserved
FROM batch_funnel
GROUP BY profile, section, step
ORDER BY profile, position, step
