-- Makes claimable at once, for anybody and uncounted, entries that this consumer was given and has not looked at.
-- ARGV: group, consumer, lease ms, ids
for index = 4, #ARGV do
  local pending = owned(ARGV[index], ARGV[2])
  if pending then hand_back(pending[1], ARGV[2], tonumber(ARGV[3]), math.max(pending[4] - 1, 0)) end
end
