-- Takes over entries whose holder has let its lease run out, looking at a bounded number of them from a cursor on.
-- ARGV: group, consumer, lease ms, limit, cursor ('-' = from the first), how many to look at
-- -> {id, fields, previous holder} a claimed entry; behind them the next cursor, when there is more to look at.
-- XPENDING + XCLAIM rather than XAUTOCLAIM: the same on 6.2 and later, ghosts included. Without IDLE, which would search
-- through all that is pending while nothing is idle.
local lease_ms, limit, looked_at = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[6])
local rows = redis.call('XPENDING', KEYS[1], GROUP, ARGV[5], '+', looked_at)
local taken = {}
for _, pending in ipairs(rows) do
  local id = pending[1]
  if pending[3] >= lease_ms then
    local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
    if not entry then
      redis.call('XACK', KEYS[1], GROUP, id)
    elseif #taken == limit then
      taken[limit + 1] = id
      return taken
    elseif #redis.call('XCLAIM', KEYS[1], GROUP, ARGV[2], lease_ms, id) > 0 then
      taken[#taken + 1] = {id, entry[2], pending[2]}
    end
  end
end
if #rows == looked_at then taken[#taken + 1] = '(' .. rows[#rows][1] end
return taken
