-- What did the papers publish about their own funnels, for comparison?
-- SpeakerVid-5M (arXiv 2507.09862) published nothing between its source and its tiers; its single branch has 8,743 h, as much
-- as its two tiers together. TalkVid (arXiv 2508.13618) published hours after each stage. share is of the source's hours.
SELECT paper, profile, position, step, hours, clips, round(hours / first_value(hours) OVER ordered, 4) AS share
FROM (
    VALUES
        ('SpeakerVid-5M', 'speakervid-5m', 1, 'source', 64386.0, NULL),
        ('SpeakerVid-5M', 'speakervid-5m', 2, 'kept clips', 8743.0, 5218000),
        ('SpeakerVid-5M', 'speakervid-5m', 3, 'tier: pretrain', 7375.0, NULL),
        ('SpeakerVid-5M', 'speakervid-5m', 4, 'tier: sft', 1368.0, 571000),
        ('TalkVid', 'talkvid', 1, 'source', 6783.8, NULL),
        ('TalkVid', 'talkvid', 2, '5 s and longer', 5785.68, NULL),
        ('TalkVid', 'talkvid', 3, 'speech', 5701.62, NULL),
        ('TalkVid', 'talkvid', 4, 'quality (DOVER)', 3633.81, NULL),
        ('TalkVid', 'talkvid', 5, 'motion (CoTracker)', 2055.06, NULL),
        ('TalkVid', 'talkvid', 6, 'head', 1244.33, NULL)
) AS published (paper, profile, position, step, hours, clips)
WINDOW ordered AS (PARTITION BY paper ORDER BY position)
ORDER BY paper, position
