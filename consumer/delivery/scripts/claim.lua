-- Takes over entries whose holder has let its lease run out, looking at a bounded number of them from a cursor on.
-- ARGV: group, consumer, lease ms, limit, cursor ('-' = from the first), how many to look at,
--       deliveries that make an entry a suspect (0 = never), whether to take a suspect
-- -> {{id, fields, previous holder} a claimed entry}, next cursor ('' = all was looked at), 0, or 1 when a suspect waits,
--    or 2 when the one taken is a suspect: then it is the only one.
-- An entry that has lost its consumers again and again may be what ended them: it is run alone, or the entries beside it
-- would be counted, and given up, for its sake.
-- XPENDING + XCLAIM rather than XAUTOCLAIM: the same on 6.2 and later, ghosts included. Without IDLE, which would search
-- through all that is pending while nothing is idle.
local lease_ms, limit, looked_at = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[6])
local suspect_after, alone = tonumber(ARGV[7]), ARGV[8] == '1'
local rows = redis.call('XPENDING', KEYS[1], GROUP, ARGV[5], '+', looked_at)
local taken, suspects = {}, 0

local function take(id, fields, holder)
  if #redis.call('XCLAIM', KEYS[1], GROUP, ARGV[2], lease_ms, id) == 0 then return false end
  taken[#taken + 1] = {id, fields, holder}
  return true
end

for _, pending in ipairs(rows) do
  local id = pending[1]
  if pending[3] >= lease_ms then
    local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
    if not entry then
      redis.call('XACK', KEYS[1], GROUP, id)
    elseif suspect_after > 0 and pending[4] >= suspect_after then
      if alone and #taken == 0 and take(id, entry[2], pending[2]) then return {taken, '', 2} end
      suspects = 1
    elseif #taken == limit then
      return {taken, id, suspects}
    else
      take(id, entry[2], pending[2])
    end
  end
end
return {taken, #rows == looked_at and '(' .. rows[#rows][1] or '', suspects}
